#!/usr/bin/env bash
# A small sweep on a real Slurm cluster of two nodes: ci_slurm.sh AFTERIMAGE_BINARY
#
# Installs Slurm from Debian's packages if it is missing, which needs root and a reachable mirror;
# where it cannot be had, this fails and says so.
set -euo pipefail
cd "$(dirname "$0")/.."
binary=$(realpath "$1")
work=$(mktemp -d)
cluster=$(mktemp -d)
finish() {
    scripts/slurm_cluster.sh stop "$cluster" || true
    rm -rf "$work" "$cluster"
}
trap finish EXIT

INSTALL=yes scripts/slurm_cluster.sh start "$cluster" >"$work/env"
# shellcheck disable=SC1091
. "$work/env"
cp crates/testkit/src/tiny.toml "$work"
cat >"$work/sweep.toml" <<'SWEEP'
name = "ci"
config = "tiny.toml"
seeds = [1, 2]
metric = { name = "eval/knn" }
set = { epochs = 2 }
retries = 0
grid = { "objective.temperature" = [0.1, 0.5] }
arms = [
    { name = "plain" },
    { name = "broken", alone = true, set = { plugins = [{ kind = "chaos", step = 5, panic = false, intervenes = true }] } },
]
SWEEP
code=0
"$binary" sweep "$work/sweep.toml" --out "$work/a sweep" --executor slurm --json >"$work/out" || code=$?
tail -n 1 "$work/out" | python3 -c '
import collections, json, sys
trials = json.load(sys.stdin)["trials"]
states = collections.Counter(t["state"] for t in trials)
assert states == {"done": 4, "failed": 2}, states
assert all(t["attempts"] == 1 for t in trials), trials
print("a sweep on Slurm:", dict(states))
'
if [ "$code" != 5 ]; then
    echo "the sweep ended with $code instead of 5" >&2
    exit 1
fi
ends=$(grep -c '"event":"end"' "$work/a sweep/ledger.jsonl")
if [ "$ends" != 6 ]; then
    echo "$ends ends in the ledger instead of 6" >&2
    exit 1
fi
