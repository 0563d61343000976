"""Configuration: NAME, NAME_FILE, defaults, and loud failures."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from evportal import env


def test_a_file_gives_defaults_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "env"
    path.write_text("# a comment\nEVP_ONE=file\nEVP_TWO=a=b\n\nnot a setting\n")
    monkeypatch.setenv("EVP_ONE", "environment")
    monkeypatch.delenv("EVP_TWO", raising=False)
    env.load(path)
    assert (env.text("EVP_ONE"), env.text("EVP_TWO")) == ("environment", "a=b")
    monkeypatch.delenv("EVP_TWO")


def test_a_missing_file_is_no_error(tmp_path: Path) -> None:
    env.load(tmp_path / "none")


def test_secrets_are_read_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    monkeypatch.setenv("EVP_SECRET_FILE", str(tmp_path / "secret"))
    assert env.text("EVP_SECRET") == "s3cret"
    monkeypatch.setenv("EVP_SECRET_FILE", str(tmp_path / "gone"))
    with pytest.raises(ImproperlyConfigured, match=r"EVP_SECRET_FILE names .*gone"):
        env.text("EVP_SECRET")


def test_what_is_not_set_is_named() -> None:
    with pytest.raises(ImproperlyConfigured, match="EVP_MISSING_FILE"):
        env.text("EVP_MISSING")


@pytest.mark.parametrize("value", ["x1", "", "1.5"])
def test_numbers_are_checked(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVP_NUMBER", value)
    with pytest.raises(ImproperlyConfigured, match="expected a whole number"):
        env.integer("EVP_NUMBER", 1)


def test_booleans_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVP_FLAG", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="expected 1 or 0"):
        env.boolean("EVP_FLAG", False)
    monkeypatch.setenv("EVP_FLAG", "true")
    assert env.boolean("EVP_FLAG", False)


def test_lists_drop_empty_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVP_LIST", "a, b,,")
    assert env.listing("EVP_LIST") == ["a", "b"]


def test_a_fresh_checkout_makes_its_secret_once(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "key"
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: env.secret_kept_in(path, "EVP_NONE"), range(16)))
    assert len(found) == 1 and len(found.pop()) >= 50
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "EVP_NONE" not in os.environ
