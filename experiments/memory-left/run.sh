#!/bin/sh
# Trains the three encoders, and ablates each: experiments/memory-left/run.sh AFTERIMAGE OUT
set -eu
program=$1 out=$2 here=$(dirname "$0")
mkdir -p "$out"
for seed in 1 2 3; do
    "$program" run "$here/base.toml" --set seed=$seed --out "$out/run-$seed"
    "$program" ablate "$out/run-$seed" --out "$out/arms-$seed" --points 180 --views 6 --controls 5 --matched \
        --score unitmem,unitmem-excess,ownership,magnitude:low,taylor:low,activation-mean --fraction 0.05,0.1,0.2
done
