#!/usr/bin/env bash
# Opens the pages of a run, a comparison, a sweep, a study of sensitivity, a valued table and a coreset in a real
# browser: ci_browser.sh AFTERIMAGE_BINARY [PICTURES_FOLDER]
#
# Installs Debian's Chromium if no browser is there, which needs root and a reachable mirror; where it cannot
# be had, says so and checks nothing. CHROMIUM names another browser. With a folder, every view is kept there.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "$1")
pictures=${2:-}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

find_browser() {
    command -v "${CHROMIUM:-chromium}" || command -v chromium-browser || command -v google-chrome
}
if ! browser=$(find_browser); then
    if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends chromium fonts-dejavu-core; } >"$work/apt" 2>&1; then
        echo "ci_browser: skipped, Chromium is not there and cannot be installed: $(tail -n 1 "$work/apt")"
        exit 0
    fi
    browser=$(find_browser)
fi

small=(--set limits.held_out=64 --set encoder.width=0.125 --set batch_size=16 --set evaluation.bank=32)
"$binary" run configs/quickstart.toml --out "$work/a run" "${small[@]}" --set epochs=100 \
    --set limits.train=48 --set evaluation.every=5 --set pair.candidates=0.4 \
    --set plugins.layermem.every="1 epoch" --set plugins.layermem.points=16 --set plugins.layermem.views=2 \
    --set plugins.unitmem.every="1 epoch" --set plugins.unitmem.points=16 --set plugins.unitmem.views=2 \
    --set plugins.ownership.points=16 >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }

cp crates/testkit/src/tiny.toml "$work"
cat >"$work/sweep.toml" <<'SWEEP'
name = "browser"
config = "tiny.toml"
seeds = [1, 2, 3]
metric = { name = "eval/knn", against = ["loss/train"] }
set = { epochs = 3, limits = { train = 96, held_out = 64 } }
grid = { "schedule.peak" = [2e-3, 2e-2] }
compare = [{ name = "rate", control = { "schedule.peak" = 2e-3 } }]
SWEEP
"$binary" sweep "$work/sweep.toml" --out "$work/a sweep" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
"$binary" report "$work/a sweep"/trials/* --out "$work/compared.html"
"$binary" sensitivity "$work/a run" --fractions 0.3,0.6 --scores magnitude --repeats 2 \
    --out "$work/a study" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
python3 -c '
import random
random.seed(1)
print("a,b,c,y")
for row in range(120):
    label = row % 2
    a, b, c = (random.gauss(label, 0.5) for _ in range(3))
    print(f"{a:.3f},{b:.3f},{c:.3f},{label if row else 1 - label}")' >"$work/table.csv"
"$binary" value "$work/table.csv" --label y --learners 100 --out "$work/valued" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }
python3 -c '
import random
random.seed(1)
print("name,a,b,c")
for row in range(400):
    a, b, c = (random.gauss(3 * (row % 4 == place), 1) for place in range(3))
    print(f"image-{row}.png,{a:.3f},{b:.3f},{c:.3f}")' >"$work/embeddings.csv"
python3 -c 'print("class", *("abcd"[row % 4] for row in range(400)), sep="\n")' >"$work/labels.csv"
"$binary" select "$work/embeddings.csv" --id name --labels "$work/labels.csv" --count 40 --out "$work/chosen" \
    >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }

[ -z "$pictures" ] || mkdir -p "$pictures"
python3 scripts/check_pages.py "$browser" "$work/a run/report.html" "$work/compared.html" \
    "$work/a sweep/report.html" "$work/a study/sensitivity.html" "$work/valued/report.html" \
    "$work/chosen/report.html" ${pictures:+--pictures "$pictures"}
