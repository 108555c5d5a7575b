#!/bin/sh
# setup.sh LOCK VENV: build VENV from a hash-pinned lock; needs only python3.11 and pip.
# uv comes from its own lock because it installs ten times faster; plain pip is the fallback.
set -eu
lock=$1; venv=$2
stamp="$venv/.lock.sha256"
want=$(sha256sum < "$lock" | cut -d' ' -f1)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && exit 0
python=${PYTHON:-python3.11}
command -v "$python" >/dev/null || { echo "setup: needs $python (Debian: apt install python3.11 python3.11-venv)" >&2; exit 2; }
echo "setup: building $venv from $lock (first time only, about a minute)" >&2
"$python" -m venv --clear "$venv"
py="$venv/bin/python"
PIP_DISABLE_PIP_VERSION_CHECK=1; export PIP_DISABLE_PIP_VERSION_CHECK
"$py" -m pip install -q --no-compile --require-hashes --only-binary :all: -r requirements/uv.txt || true
if [ -x "$venv/bin/uv" ] && "$venv/bin/uv" pip install -q --python "$py" --no-deps --require-hashes --only-binary :all: -r "$lock"; then :; else
  echo "setup: uv could not install; falling back to pip (slower)" >&2
  "$py" -m pip install -q --no-compile --no-deps --require-hashes --only-binary :all: -r "$lock"
fi
"$py" -m pip check >&2
# An editable install without a build step: one path line and the console script.
site=$("$py" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
pwd > "$site/vagus-checkout.pth"
printf '#!%s\nfrom vagus import main\nraise SystemExit(main())\n' "$(pwd)/$py" > "$venv/bin/vagus"
chmod +x "$venv/bin/vagus"
echo "$want" > "$stamp"
