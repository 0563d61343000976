#!/bin/sh
# Builds evledger.wasm from evledger.cpp with clang and lld as zig 0.10.1 brings them (LLVM 15.0.7, from the wheel
# ziglang==0.10.1.post1): the same source gives the same bytes, on every distribution.
#   build.sh           writes evledger.wasm beside the source
#   build.sh --check   builds elsewhere and compares with the committed evledger.wasm; exit status 1 when they differ
# The compiler is the one that `python -m dev.chain.compiler` installs, or what ZIG names. Elsewhere:
#   pip install --target DIR ziglang==0.10.1.post1 && ZIG=DIR/ziglang/zig build.sh --check
#
# The bytes are older than this compiler: Debian 12's clang 14 built them, and builds them still, with the same options but
# for -mllvm. On chains they are pinned by their hash, so they are to stay. What is behind -mllvm makes LLVM 15 choose as
# 14 did among instructions that do the same:
#   branch-on-poison-as-ub=0         what a branch looks at allows no more conclusions than it did
#   enable-matrix=1                  one more clean-up (EarlyCSE) near the end; there is no matrix
#   licm-mssa-max-acc-promotion=30   large loops keep in memory what they read, until they have been turned round
set -eu
cd "$(dirname "$0")"

fail() { echo "build.sh: $1" >&2; exit 1; }

case "${1:-}" in
    ""|--check) ;;
    *) fail "expected no argument or --check, got: $1" ;;
esac

zig=${ZIG:-../../var/parts/ziglang-0.10.1.post1/ziglang/zig}
version=$("$zig" version 2>/dev/null) || fail "no compiler at $zig: .venv/bin/python -m dev.chain.compiler installs it"
[ "$version" = 0.10.1 ] || fail "expected zig 0.10.1, got $version: another compiler builds other bytes"
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
target=$directory/evledger.wasm

# mvp: the chain knows no later WebAssembly feature
"$zig" clang --target=wasm32 -mcpu=mvp -std=c++17 -O2 -Wall -Wextra -Werror \
    -ffreestanding -nostdlib -fno-exceptions -fno-rtti -fno-ident \
    -mllvm -branch-on-poison-as-ub=0 -mllvm -enable-matrix=1 -mllvm -licm-mssa-max-acc-promotion=30 \
    -c -o "$directory/evledger.o" evledger.cpp
# the stack comes first, so that an overflow traps, not corrupts
"$zig" wasm-ld --no-entry --strip-all --stack-first -z stack-size=8192 -o "$target" "$directory/evledger.o"

if [ "${1:-}" = --check ]; then
    cmp "$target" evledger.wasm || fail "evledger.wasm was not built from this source: run build.sh and commit the result"
    echo "evledger.wasm is what evledger.cpp builds"
else
    install -m 644 "$target" evledger.wasm # a module, not a program
    sha256sum evledger.wasm
fi
