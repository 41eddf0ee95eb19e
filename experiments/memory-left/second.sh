#!/bin/sh
# Trains the five encoders of the second question, and ablates each: experiments/memory-left/second.sh AFTERIMAGE OUT
set -eu
program=$1 out=$2 memory=$(dirname "$0")/../memory
mkdir -p "$out"
for seed in 4 5 6 7 8; do
    "$program" run "$memory/whole.toml" --set seed=$seed --out "$out/run-$seed"
    "$program" ablate "$out/run-$seed" --out "$out/arms-$seed" --points 190 --views 6 --controls 5 --matched \
        --score unitmem --fraction 0.02,0.03,0.1,0.3
done
