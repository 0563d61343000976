"""What the bootstrap says of a machine where a package brought less than it should."""

from pathlib import Path

import pytest

from dev import bootstrap

PKG_CONFIG = """\
#!/bin/sh
echo "Package 'uuid', required by 'tss2-fapi', not found" >&2
exit 1
"""


def test_a_library_that_is_not_found_is_reported_in_pkg_configs_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a Debian 13 with libtss2-dev and without uuid-dev."""
    program = tmp_path / "pkg-config"
    program.write_text(PKG_CONFIG)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    needs = [need for need in bootstrap.TO_BUILD if need.package in ("uuid-dev", "libtss2-dev") and not need.present()]
    assert [need.package for need in needs] == ["uuid-dev", "libtss2-dev"]
    said = bootstrap.not_found(needs)
    assert "apt installed uuid-dev, libtss2-dev, yet" in said
    assert "Package 'uuid', required by 'tss2-fapi', not found" in said
    assert "PATH" not in said


def test_without_a_reason_the_path_is_suspected() -> None:
    need = bootstrap.Need("jq", "the lines of docs/tpm-api.md", lambda: False)
    assert bootstrap.not_found([need]).endswith("is not found. Is PATH another system's?")


def test_another_font_is_not_the_one_that_is_needed() -> None:
    """Any font file counted as the fonts of papers: names in other scripts came out as boxes."""
    assert bootstrap.font("DejaVuSans.ttf")()
    assert not bootstrap.font("DejaVuSansKlingon.ttf")()
    needed = {need.package for need in bootstrap.TO_RUN if need.package.startswith("fonts-")}
    assert needed == {"fonts-dejavu-core", "fonts-noto-core", "fonts-noto-cjk"}
    image = (Path(__file__).parents[2] / "Dockerfile").read_text()
    assert all(f" {package} " in image for package in needed), "the image has the same"
