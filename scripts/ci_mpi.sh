#!/usr/bin/env bash
# Runs that several processes of Open MPI compute together, killed and gone on with, on this machine and on a
# real Slurm cluster of two nodes: ci_mpi.sh
#
# Builds the program with the feature `mpi`. Installs Open MPI, libclang and Slurm from Debian's packages if
# they are missing, which needs root and a reachable mirror; where they cannot be had, this fails and says so.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(libopenmpi-dev openmpi-bin libclang-dev)
if ! dpkg -s "${packages[@]}" >/dev/null 2>&1; then
    log=$(mktemp)
    export DEBIAN_FRONTEND=noninteractive
    if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}"; } >"$log" 2>&1; then
        cat "$log" >&2
        echo "Open MPI could not be installed; no processes, no test of them" >&2
        exit 1
    fi
    rm -f "$log"
fi

target=${CARGO_TARGET_DIR:-target}
# As the other checks build: another choice of packages would build burn once more. What the tests hold has no
# MPI in it and has been tested; to build one of them builds the program.
cargo clippy --workspace --all-targets --features afterimage-cli/mpi -- -D warnings
cargo test --workspace --release --features afterimage-cli/mpi --test processes --no-run
scripts/processes.py --binary "$target/release/afterimage"

cluster=$(mktemp -d)
finish() {
    scripts/slurm_cluster.sh stop "$cluster" || true
    rm -rf "$cluster"
}
trap finish EXIT
found=$(INSTALL=yes CPUS=2 scripts/slurm_cluster.sh start "$cluster")
eval "$found"
scripts/processes_on_slurm.py --binary "$target/release/afterimage"
