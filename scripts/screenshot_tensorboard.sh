#!/usr/bin/env bash
# Takes pictures of TensorBoard's tabs: OUT_PREFIX-<tab>.png.
#
#   screenshot_tensorboard.sh LOGDIR OUT_PREFIX [TAB]...
#
# Tabs: timeseries scalars histograms images text custom_scalars (default: the first four).
# TENSORBOARD_PYTHON names a python with tensorboard (default: python3), CHROMIUM a browser.
set -euo pipefail

if [ $# -lt 2 ]; then
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
logdir=$1
prefix=$2
shift 2
tabs=("$@")
[ ${#tabs[@]} -gt 0 ] || tabs=(timeseries scalars histograms images)
python=${TENSORBOARD_PYTHON:-python3}
browser=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome)}

scratch=$(mktemp -d)
server=
stop() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$server" ] || wait "$server" 2>/dev/null || true
  rm -rf "$scratch"
}
trap stop EXIT

port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# Without the fast loader, TensorBoard has read the folder when it answers.
"$python" -m tensorboard.main --logdir "$logdir" --host 127.0.0.1 --port "$port" \
  --load_fast=false >"$scratch/log" 2>&1 &
server=$!
ready=
for _ in $(seq 120); do
  if "$python" - "$port" 2>/dev/null <<'PY'
import json, sys, urllib.request
runs = json.load(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/data/runs", timeout=2))
sys.exit(0 if runs else 1)
PY
  then
    ready=yes
    break
  fi
  kill -0 "$server" 2>/dev/null || break
  sleep 0.5
done
if [ -z "$ready" ]; then
  echo "TensorBoard showed no run of $logdir within 60 s:" >&2
  cat "$scratch/log" >&2
  exit 1
fi

mkdir -p "$(dirname "$prefix")"
for tab in "${tabs[@]}"; do
  # A profile of its own for each picture: settings of the last tab would stay otherwise.
  "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync \
    --user-data-dir="$scratch/profile-$tab" --window-size=1400,1000 \
    --virtual-time-budget=25000 --screenshot="$prefix-$tab.png" \
    "http://127.0.0.1:$port/#$tab" >"$scratch/browser" 2>&1 || true
  if [ ! -s "$prefix-$tab.png" ]; then
    echo "no picture of the tab $tab:" >&2
    cat "$scratch/browser" >&2
    exit 1
  fi
  echo "$prefix-$tab.png"
done
