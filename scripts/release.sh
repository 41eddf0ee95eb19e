#!/usr/bin/env bash
# An archive to give away, and one of its symbols: scripts/release.sh [BINARY]
#
#   dist/afterimage-VERSION-TARGET.tar.gz          the stripped program, licences, completions, man pages, configs
#   dist/afterimage-VERSION-TARGET-symbols.tar.gz  what a debugger and a backtrace need beside it
#
# Without BINARY it is built. The archives of one commit and one program have the same bytes wherever they are
# made. Needs objcopy (binutils) and GNU tar.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in objcopy tar gzip; do
    command -v "$tool" >/dev/null || { echo "release.sh: $tool is needed" >&2; exit 1; }
done

if [ $# -gt 0 ]; then
    binary=$1
else
    cargo build --release --locked -p afterimage-cli
    binary=${CARGO_TARGET_DIR:-target}/release/afterimage
fi
[ -x "$binary" ] || { echo "release.sh: $binary: there is no such program" >&2; exit 1; }

version=$("$binary" --version | cut -d' ' -f2)
target=$(rustc -vV | sed -n 's/^host: //p')
name=afterimage-$version-$target
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
stage=$work/$name symbols=$work/$name-symbols
mkdir -p "$stage/completions" "$stage/configs" "$symbols" dist

# The debug link is a name and a sum, by which debuggers find the file beside the program.
objcopy --only-keep-debug "$binary" "$symbols/afterimage.debug"
objcopy --strip-all --add-gnu-debuglink="$symbols/afterimage.debug" "$binary" "$stage/afterimage"
# Lines of source, which the linker put apart.
if [ -e "$binary.dwp" ]; then
    cp "$binary.dwp" "$symbols/afterimage.dwp"
fi

cp LICENSE-APACHE LICENSE-MIT README.md CHANGELOG.md "$stage"
cp configs/*.toml "$stage/configs"
"$binary" completions bash >"$stage/completions/afterimage.bash"
"$binary" completions zsh >"$stage/completions/_afterimage"
"$binary" completions fish >"$stage/completions/afterimage.fish"
"$binary" completions powershell >"$stage/completions/_afterimage.ps1"
"$binary" completions elvish >"$stage/completions/afterimage.elv"
"$binary" man "$stage/man/man1" >/dev/null

pack() {
    tar --sort=name --owner=0 --group=0 --numeric-owner --mode=go=rX,u+rw,a-s --mtime="@$SOURCE_DATE_EPOCH" \
        -C "$work" -cf - "$1" | gzip -n -9 >"dist/$1.tar.gz"
}
pack "$name"
pack "$name-symbols"

# What was packed works by itself.
mkdir "$work/unpacked"
tar -xzf "dist/$name.tar.gz" -C "$work/unpacked"
cd "$work/unpacked/$name"
[ "$(./afterimage --version)" = "afterimage $version" ]
./afterimage check configs/*.toml >/dev/null
bash -n completions/afterimage.bash
cd - >/dev/null

size() { numfmt --to=si --suffix=B "$(stat -Lc %s "$1")"; }
echo "program   $(size "$binary") as it is built, $(size "$stage/afterimage") stripped"
echo "archive   $(size "dist/$name.tar.gz")  dist/$name.tar.gz"
echo "symbols   $(size "dist/$name-symbols.tar.gz")  dist/$name-symbols.tar.gz"
