"""The committed module is what the source builds, and the check can tell."""

import os
import shutil
import subprocess
from pathlib import Path

from dev.chain import compiler
from dev.chain.setup import CONTRACT_DIR


def run_check(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(directory / "build.sh"), "--check"],
        env={**os.environ, "ZIG": str(compiler.install())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_committed_wasm_is_what_the_source_builds() -> None:
    result = run_check(CONTRACT_DIR)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_single_changed_bit_of_the_wasm_is_noticed(tmp_path: Path) -> None:
    copy = tmp_path / "contract"
    shutil.copytree(CONTRACT_DIR, copy)
    wasm = copy / "evledger.wasm"
    data = bytearray(wasm.read_bytes())
    data[-1] ^= 1
    wasm.write_bytes(data)
    result = run_check(copy)
    assert result.returncode == 1
    assert "was not built from this source" in result.stderr
