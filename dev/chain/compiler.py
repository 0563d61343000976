"""The contract's compiler, the same on every distribution: clang and lld as zig brings them, from a pinned wheel.

    python -m dev.chain.compiler      installs it below var/parts, where ledger/contract/build.sh looks for it

`zig clang` and `zig wasm-ld` are those programs themselves; nothing else of zig is used.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dev.chain import wheels
from dev.common.processes import ProcessError

VERSION = "0.10.1.post1"  # another version builds other bytes (ledger/contract/build.sh)
INSTALLED = wheels.PARTS / f"ziglang-{VERSION}"
PROGRAM = "ziglang/zig"
PLATFORM = "manylinux_2_12_x86_64"
UNUSED = ("ziglang/lib", "ziglang/doc")  # 200 MB of other systems' libraries: a contract has none
TIMEOUT_S = 60
FLAGS = ("--target=wasm32", "-mcpu=mvp", "-O2", "-ffreestanding", "-nostdlib")


def install(target: Path = INSTALLED) -> Path:
    """Install it, if it is not there, and return the path of `zig`; raises ProcessError."""
    return wheels.install(f"ziglang=={VERSION}", target, program=PROGRAM, platform=PLATFORM, without=UNUSED)


def compile_contract(source: Path) -> bytes:
    """A small contract in C++ as WebAssembly; raises CalledProcessError. Beside the source it leaves .o and .wasm."""
    built, wasm = source.with_suffix(".o"), source.with_suffix(".wasm")
    _run(["clang", *FLAGS, "-c", "-o", str(built), str(source)])
    _run(["wasm-ld", "--no-entry", "-o", str(wasm), str(built)])
    return wasm.read_bytes()


def _run(arguments: Sequence[str]) -> None:
    subprocess.run([str(install()), *arguments], check=True, timeout=TIMEOUT_S)


def main() -> int:
    try:
        print(install())
    except ProcessError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
