#!/usr/bin/env bash
# Lets Trackio, Prometheus' own parser and, with AFTERIMAGE_MLFLOW=1, an MLflow server on this machine read what a
# short run told them, and compares it with metrics.jsonl: ci_trackers.sh AFTERIMAGE_BINARY. MLflow takes 850 MB and
# a minute to install, the others seconds. `promtool`, where it is there, checks the text file as well.
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
reader=(--trackio "$work/trackio" --prometheus "$work/text")
if [ "${AFTERIMAGE_MLFLOW:-}" = 1 ]; then
    "${pip[@]}" mlflow
    port=$("$work/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    url="http://127.0.0.1:$port"
    MLFLOW_DISABLE_TELEMETRY=true "$work/venv/bin/mlflow" server --host 127.0.0.1 --port "$port" --workers 1 \
        --backend-store-uri "sqlite:///$work/mlflow.db" --artifacts-destination "$work/artifacts" \
        > "$work/mlflow.log" 2>&1 &
    server=$!
    for _ in $(seq 120); do
        ! "$work/venv/bin/python" -c "import urllib.request; urllib.request.urlopen('$url/health')" 2>/dev/null || break
        kill -0 "$server" || { cat "$work/mlflow.log"; exit 1; }
        sleep 1
    done
    printf '\n[[sinks]]\nkind = "mlflow"\nurl = "%s"\nexperiment = "ci"\n' "$url" >> "$work/config.toml"
    reader+=(--mlflow "$url")
fi

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
