#!/bin/sh
# Builds evledger.wasm from evledger.cpp with Debian 12's clang 14 and lld 14; the same source gives the same bytes.
#   build.sh           writes evledger.wasm beside the source
#   build.sh --check   builds elsewhere and compares with the committed evledger.wasm; exit status 1 when they differ
set -eu
cd "$(dirname "$0")"

fail() { echo "build.sh: $1" >&2; exit 1; }

case "${1:-}" in
    "") target=evledger.wasm ;;
    --check)
        directory=$(mktemp -d)
        trap 'rm -rf "$directory"' EXIT
        target=$directory/evledger.wasm ;;
    *) fail "expected no argument or --check, got: $1" ;;
esac

compiler=$(command -v clang-14 || command -v clang) || fail "clang not found: apt-get install clang lld"
command -v wasm-ld-14 >/dev/null || command -v wasm-ld >/dev/null || fail "wasm-ld not found: apt-get install lld"

# mvp: the chain knows no later WebAssembly feature; the stack comes first, so that an overflow traps, not corrupts
"$compiler" --target=wasm32 -mcpu=mvp -std=c++17 -O2 -Wall -Wextra -Werror \
    -ffreestanding -nostdlib -fno-exceptions -fno-rtti -fno-ident \
    -Wl,--no-entry -Wl,--strip-all -Wl,--stack-first -Wl,-z,stack-size=8192 \
    -o "$target" evledger.cpp

chmod 644 "$target" # a module, not a program

if [ "$target" = evledger.wasm ]; then
    sha256sum "$target"
else
    cmp "$target" evledger.wasm || fail "evledger.wasm was not built from this source: run build.sh and commit the result"
    echo "evledger.wasm is what evledger.cpp builds"
fi
