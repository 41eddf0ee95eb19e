#!/usr/bin/env bash
# Lets the real TensorBoard read the events of a short run: ci_tensorboard.sh AFTERIMAGE_BINARY
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check tensorboard
"$binary" run configs/quickstart.toml --out "$work/run" \
    --set epochs=2 --set limits.train=512 --set limits.held_out=100 --set encoder.width=0.125 \
    --set evaluation.bank=200 --set plugins.unitmem.points=50 --set plugins.unitmem.views=2
"$work/venv/bin/python" scripts/check_tensorboard.py "$work/run/tensorboard" \
    --require '1 training/glossary*' --require '1 training/loss/step' --require '2 memorization/unitmem/mean/train/all' \
    --require '3 memorization by layer/unitmem/mean/train/*' --require '7 time/time/images_per_second'
