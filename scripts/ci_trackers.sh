#!/usr/bin/env bash
# Lets Trackio, Prometheus' own parser and MLflow on this machine read what a short run told them, and compares it
# with metrics.jsonl: ci_trackers.sh AFTERIMAGE_BINARY. `promtool`, where it is there, checks the text file as well.
#
# MLflow is its own tracking application over SQLite, and its own client, out of `mlflow-skinny`: 90 MB, installed in
# 13 s on two busy cores. With AFTERIMAGE_MLFLOW=1 it is the command `mlflow server` of the whole package, which puts
# another web server in front of the same application: 850 MB and a minute.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
pip=("$work/venv/bin/pip" install --quiet --disable-pip-version-check)
"${pip[@]}" trackio prometheus_client
mkdir "$work/trackio" "$work/text"
cp configs/quickstart.toml "$work/config.toml"
cat >> "$work/config.toml" <<TOML

[[sinks]]
kind = "trackio"
dir = "$work/trackio"
project = "ci"

[[sinks]]
kind = "prometheus"
dir = "$work/text"
every = 1
TOML
port=$("$work/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url="http://127.0.0.1:$port"
export MLFLOW_DISABLE_TELEMETRY=true
if [ "${AFTERIMAGE_MLFLOW:-}" = 1 ]; then
    "${pip[@]}" mlflow
    "$work/venv/bin/mlflow" server --host 127.0.0.1 --port "$port" --workers 1 \
        --backend-store-uri "sqlite:///$work/mlflow.db" --artifacts-destination "$work/artifacts" \
        > "$work/mlflow.log" 2>&1 &
else
    # What the application needs beside the client; bytes are compiled when they are first imported, if at all.
    "${pip[@]}" --no-compile mlflow-skinny flask flask-cors sqlalchemy alembic
    # The names by which `mlflow server` hands its arguments to the application.
    _MLFLOW_SERVER_FILE_STORE="sqlite:///$work/mlflow.db" _MLFLOW_SERVER_ARTIFACT_ROOT="$work/artifacts" \
        "$work/venv/bin/flask" --app mlflow.server run --host 127.0.0.1 --port "$port" > "$work/mlflow.log" 2>&1 &
fi
server=$!
for _ in $(seq 120); do
    ! "$work/venv/bin/python" -c "import urllib.request; urllib.request.urlopen('$url/health')" 2>/dev/null || break
    kill -0 "$server" || { cat "$work/mlflow.log"; exit 1; }
    sleep 1
done
printf '\n[[sinks]]\nkind = "mlflow"\nurl = "%s"\nexperiment = "ci"\n' "$url" >> "$work/config.toml"
reader=(--trackio "$work/trackio" --prometheus "$work/text" --mlflow "$url")

settings=(--set epochs=3 --set limits.train=512 --set limits.held_out=100 --set encoder.width=0.125
    --set evaluation.bank=200 --set checkpoints.every=1 --set plugins.unitmem.points=50 --set plugins.unitmem.views=2)
"$binary" run "$work/config.toml" --out "$work/straight" "${settings[@]}"
# A second run is killed in its second epoch and goes on. A fast machine may end it first: then it is one more run to
# compare, and another is killed.
runs=("$work/straight")
for try in 1 2 3 4 5; do
    killed="$work/killed-$try"
    runs+=("$killed")
    "$binary" run "$work/config.toml" --out "$killed" "${settings[@]}" > /dev/null 2>&1 &
    run=$!
    until compgen -G "$killed/checkpoints/step-*" > /dev/null || ! kill -0 "$run" 2>/dev/null; do sleep 0.02; done
    kill -9 "$run" 2>/dev/null || true
    wait "$run" 2>/dev/null || true
    cut=$("$binary" resume "$killed" > "$work/resumed.log" 2>&1 && echo yes || echo no)
    [ "$cut" = no ] || break
    grep -q "this run is complete" "$work/resumed.log" || { cat "$work/resumed.log"; exit 1; }
done
[ "$cut" = yes ] || { echo "five runs were over before they could be killed"; exit 1; }
for run in "${runs[@]}"; do cmp "$work/straight/metrics.jsonl" "$run/metrics.jsonl"; done
"$work/venv/bin/python" scripts/check_trackers.py "${runs[@]}" "${reader[@]}"
if command -v promtool > /dev/null; then
    for text in "$work"/text/*.prom; do promtool check metrics < "$text"; done
    echo "promtool: the text files are well made"
fi
