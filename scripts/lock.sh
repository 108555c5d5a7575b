#!/bin/sh
# Make the hash-pinned locks: dev first, then run and serve held to its pins, so that the three agree.
# A clean client configuration is forced: a local wheel folder would leave other hashes in the lock.
set -eu
cd "$(dirname "$0")/../requirements"
unset PIP_FIND_LINKS UV_FIND_LINKS UV_INDEX UV_INDEX_URL UV_EXTRA_INDEX_URL 2>/dev/null || true
flags="-q --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --only-binary :all:"
uv=${UV:-../.venv/bin/uv}
"$uv" pip compile $flags uv.in -o uv.txt
"$uv" pip compile $flags dev.in -o dev.txt
pins=$(mktemp)
sed -n 's/^\([A-Za-z0-9._-]*==[^ ;\\]*\).*/\1/p' dev.txt > "$pins"
"$uv" pip compile $flags -c "$pins" run.in -o run.txt
"$uv" pip compile $flags -c "$pins" serve.in -o serve.txt
rm -f "$pins"
if grep -n -e '://' -e '--index' -e '--find-links' ./*.txt; then
  echo "a lock names an address; regenerate it with a clean configuration" >&2; exit 1
fi
