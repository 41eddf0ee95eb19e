#!/usr/bin/env bash
# Groups of units that encoders declare, beside those that burn-capture records; see tests/groups.
set -euo pipefail
cd "$(dirname "$0")/../tests/groups"

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/afterimage-target}"

cargo fmt --check
cargo clippy --locked --all-targets -- -D warnings
cargo test --locked
