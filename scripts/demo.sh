#!/bin/sh
# The main job from end to end on simulated people, in ./demo; the server is stopped at the end, whatever happens.
set -eu
bin=$(cd "$1" && pwd); vagus="$bin/vagus"
rm -rf demo && mkdir demo && cd demo
server=""
trap '[ -n "$server" ] && kill "$server" 2>/dev/null; true' EXIT INT TERM
step() { printf '\n--- %s\n' "$*"; }

step "1/8 simulate 400 people (known truth, nobody real)"
"$vagus" cohort simulate --out cohort --subjects 400 --seed 7
step "2/8 check the cohort folder"
"$vagus" cohort check cohort
step "3/8 train: nested validation by subject, tested increment, MLflow run"
"$vagus" train cohort --instrument PHQ-9 --config ../scripts/demo.toml --json > train.json
run=$("$bin/python" -c 'import json; print(json.load(open("train.json"))["run_id"])')
"$vagus" runs show "$run"
step "4/8 promote: every gate must pass"
"$vagus" promote "$run"
step "5/8 export the sealed bundle"
"$vagus" export vagus-phq-9@champion --out bundle
step "6/8 serve it on the loopback interface"
port=$("$bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$vagus" serve --model bundle --port "$port" --no-auth > server.log 2>&1 &
server=$!
"$bin/python" ../scripts/ask_demo.py wait "http://127.0.0.1:$port" "$server"
step "7/8 ask for one patient over HTTP"
"$bin/python" ../scripts/ask_demo.py patient cohort > patient.json
"$bin/python" ../scripts/ask_demo.py post "http://127.0.0.1:$port" patient.json > reply.json
"$bin/python" -m serving.ask reply.json
step "8/8 stop the server"
kill "$server"; wait "$server" 2>/dev/null || true; server=""
report=$(find .vagus/artifacts -name report.html | head -1)
cat <<END

Look further:
  the report      open demo/$report
  MLflow's pages  cd demo && ../$1/mlflow ui --backend-store-uri sqlite:///.vagus/mlflow.db --port 5000
  serve again     $1/vagus serve --model demo/bundle
END
