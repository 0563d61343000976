"""Every text that people see is there in German, and what runs is compiled from what was translated."""

import ast
import gettext
import shutil
import subprocess
from pathlib import Path

import pytest
from django.utils import translation
from django.utils.dates import MONTHS, WEEKDAYS

ROOT = Path(__file__).parents[1]
APPS = ("accounts", "api", "common", "evportal", "gateway", "ledger", "portal", "stations", "tpm")
MESSAGES = Path("locale/de/LC_MESSAGES")


@pytest.fixture(scope="module")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The texts of the sources as they are now, beside the translations that there are."""
    directory = tmp_path_factory.mktemp("texts")
    for name in (*APPS, "locale", "templates"):
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__", "migrations"))
    command = ["-m", "django", "makemessages", "--locale", "de", "--no-obsolete"]
    python = ROOT / ".venv" / "bin" / "python"
    subprocess.run([python, *command], cwd=directory, check=True, capture_output=True, env={"PATH": "/usr/bin:/bin"})
    return directory / MESSAGES / "django.po"


def test_nothing_is_left_untranslated(extracted: Path, tmp_path: Path) -> None:
    command = ["msgfmt", "--check", "--statistics", "--output-file", str(tmp_path / "out.mo"), str(extracted)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={"LC_ALL": "C", "PATH": "/usr/bin"})
    assert "untranslated" not in done.stderr and "fuzzy" not in done.stderr, done.stderr


def test_no_text_is_hidden_in_an_f_string() -> None:
    """A gettext older than 0.22 (Debian 12's) does not look into them: the text would stay English."""
    hidden = [
        f"{path}:{call.lineno}"
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        for text in ast.walk(ast.parse(path.read_text()))
        if isinstance(text, ast.JoinedStr)
        for call in ast.walk(text)
        if isinstance(call, ast.Call) and "gettext" in ast.unparse(call.func) and isinstance(call.args[0], ast.Constant)
    ]
    assert hidden == []


def test_what_runs_is_what_was_translated(tmp_path: Path) -> None:
    """`make messages` compiles; a forgotten run would show old words."""
    compiled = tmp_path / "out.mo"
    subprocess.run(["msgfmt", "--output-file", str(compiled), str(ROOT / MESSAGES / "django.po")], check=True)
    assert catalogue(compiled) == catalogue(ROOT / MESSAGES / "django.mo")


def test_no_word_of_ours_stands_for_a_month_or_a_day() -> None:
    """Django looks for "May" among our texts first: a token's "May" has a context."""
    with translation.override("de"):
        months, days = [str(name) for name in MONTHS.values()], [str(name) for name in WEEKDAYS.values()]
    names = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
    assert months == names.split()
    assert days == ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"]


def catalogue(path: Path) -> dict[object, str]:
    with path.open("rb") as file:
        return dict(gettext.GNUTranslations(file)._catalog)  # type: ignore[attr-defined]
