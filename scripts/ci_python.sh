#!/usr/bin/env bash
# The wheel for Python, built and tested from fresh environments; see crates/python. The tests run in one that
# knows nothing of the checkout but the wheel and the packages that they need.
set -euo pipefail
cd "$(dirname "$0")/../crates/python"

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/afterimage-target}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "ci_python.sh: Python 3.11 or later is needed; python3 is $(python3 --version 2>&1)" >&2
    exit 1
fi
if ! python3 -m venv "$work/build" 2>/dev/null; then
    # Debian has it in a package of its own.
    apt-get update -qq && apt-get install -qq -y python3-venv
    rm -rf "$work/build"
    python3 -m venv "$work/build"
fi
"$work/build/bin/pip" install --quiet --disable-pip-version-check 'maturin>=1.9.4,<2'

cargo fmt --check
"$work/build/bin/maturin" build --locked --release --out "$work/wheels" --interpreter python3

python3 -m venv "$work/use"
"$work/use/bin/pip" install --quiet --disable-pip-version-check "$work"/wheels/afterimage-*.whl \
    pandas polars scikit-learn pytest mypy
cp -r tests "$work/tests"
AFTERIMAGE_CHECKOUT=$PWD/../.. "$work/use/bin/python" -m pytest -q -p no:cacheprovider "$work/tests"
"$work/use/bin/python" -m pytest -q -p no:cacheprovider --doctest-modules --pyargs afterimage
"$work/use/bin/python" -m mypy --config-file pyproject.toml -p afterimage
