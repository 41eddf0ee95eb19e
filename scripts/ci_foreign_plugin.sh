#!/usr/bin/env bash
# A crate outside of the workspace, whose command has one plugin more; see examples/foreign_plugin.
set -euo pipefail
cd "$(dirname "$0")/../examples/foreign_plugin"

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/afterimage-target}"

cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
cargo test --locked --release
