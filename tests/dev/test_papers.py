"""What the papers say is so: they are of today's code, and name nothing that is not there."""

import ast
import io
import os
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dev.papers import drawing, rooms, settings_table
from ledger.alerts import WHAT_TO_DO
from ledger.models import ChainTransaction

ROOT = Path(__file__).parents[2]
NOT_OURS = {
    ".git",
    ".venv",
    "var",
    "build",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
}


def files() -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(set(folders) - NOT_OURS)
        yield from (Path(folder, name).relative_to(ROOT) for name in sorted(names))


FILES = list(files())
KNOWN = {str(path) for path in FILES}
NAMES = {path.name for path in FILES}
PATH = re.compile(r"(?<![\w/.*…-])((?:\.\.?/)?[\w-]+(?:/[\w.-]+)*\.(?:py|md|toml|yaml|js|dot|svg|cpp))(?![\w/])")
LINK = re.compile(r"\]\(([^)#\s]+)")
MADE = ("var/", "build/")  # not in the repository, on purpose
ELSEWHERE = ("libraries/", "sitecustomize.py", "json.py")  # of EOSIO, of Debian, of Python
TEXTS = {".md", ".yaml", ".toml", ".sh", ".js", ".css", ".html", ".cpp", ".dot"}


def words(path: Path) -> Iterator[str]:
    """The comments and docstrings of a Python file; of other files the whole text."""
    source = (ROOT / path).read_text()
    if path.suffix != ".py":
        yield source
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def there(named: str, by: Path) -> bool:
    """From the root, from beside the file that names it, or in a document a bare name that some file has."""
    if named.startswith((*MADE, *ELSEWHERE)):
        return True
    beside = (ROOT / by.parent / named).resolve()
    bare = by.suffix != ".py" and "/" not in named and named in NAMES
    return named in KNOWN or f"static/{named}" in KNOWN or beside.exists() or bare


def test_every_path_that_is_named_is_there() -> None:
    ours = [path for path in FILES if path.suffix in {".py", *TEXTS} or path.name in {"Makefile", "Dockerfile"}]
    missing = [
        f"{path} names {named}"
        for path in ours
        if not {"vendor", "migrations", "cases"} & set(path.parts) and path.name != "evportal-verify.html"
        for text in words(path)
        for named in PATH.findall(text)
        if not there(named, path)
    ]
    assert not missing, "\n".join(missing)


@pytest.mark.parametrize("page", [str(path) for path in FILES if path.suffix == ".md" and "vendor" not in path.parts])
def test_every_link_leads_somewhere(page: str) -> None:
    links = [link for link in LINK.findall((ROOT / page).read_text()) if "://" not in link]
    assert not [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]


def test_the_table_of_settings_is_of_today() -> None:
    assert settings_table.PAGE.read_text() == settings_table.page(), "run: make papers"


def test_the_table_of_messages_is_of_today() -> None:
    from dev.papers import commands_table, ocpp_table

    assert ocpp_table.PAGE.read_text() == ocpp_table.page(), "run: make papers"
    assert commands_table.PAGE.read_text() == commands_table.page(), "run: make papers"


def test_each_supported_message_has_a_test() -> None:
    from dev.papers import ocpp_table

    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in ocpp_table.rows()]
    assert not [row[0] for row in rows if "yes" in row and not row[-1]]


def test_the_rooms_are_drawn_as_they_are() -> None:
    assert (drawing.DIAGRAMS / "rooms.dot").read_text() == rooms.dot(), "run: make papers"


def test_each_room_is_described() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = {row.split("`")[1]: row for row in page.splitlines() if row.startswith("| `")}
    for package, *inside in (room.split("/") for room in rooms.arrows()):
        assert not [name for name in inside if f"`{name}/`" not in rows[f"{package}/"]], package


@pytest.mark.parametrize("name", drawing.NAMES)
def test_each_drawing_is_of_its_text(name: str) -> None:
    assert drawing.mark(name) in (drawing.DIAGRAMS / f"{name}.svg").read_text(), "run: make papers"


def test_the_states_are_those_of_the_model_and_who_moves_them_is_there() -> None:
    text = (drawing.DIAGRAMS / "transaction.dot").read_text()
    drawn = set(re.findall(r"(?m)^  ([A-Z_]+)\b", text))
    assert drawn == set(ChainTransaction.Status.values)
    code = "\n".join((ROOT / path).read_text() for path in FILES if path.parts[0] == "ledger" and path.suffix == ".py")
    assert not [name for name in re.findall(r"(\w+)\(\)", text) if f"def {name}(" not in code]


def test_each_container_is_drawn() -> None:
    services = set(yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]) - {"setup", "chain-setup"}
    assert services <= set(re.findall(r"(?m)^ +(\w+) \[label=", (drawing.DIAGRAMS / "processes.dot").read_text()))


def test_each_test_that_the_failure_table_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "architecture.md").read_text()))
    code = "\n".join((ROOT / path).read_text() for path in FILES if path.name.startswith("test_"))
    assert len(named) > 20
    assert not [name for name in named if f"def {name}(" not in code]


def test_each_command_of_the_loop_is_there() -> None:
    targets = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text().replace("test on-sqlite", "test")))
    for page in ("CONTRIBUTING.md", "README.md", "docs/architecture.md"):
        assert set(re.findall(r"`make ([a-z-]+)", (ROOT / page).read_text())) <= targets, page


def test_operators_read_what_to_do_about_each_alert() -> None:
    page = (ROOT / "docs" / "ledger.md").read_text()
    assert not [code for code in WHAT_TO_DO if f"`{code}`" not in page]
