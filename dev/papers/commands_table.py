"""The table of commands in docs/commands.md, made from stations/commands/kinds.py. Import it after django.setup()."""

from collections.abc import Iterator
from pathlib import Path

from django.utils import translation

from stations.commands.kind import Kind
from stations.commands.kinds import KINDS
from stations.commands.params import ALL, Param, Type, walked

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"
BEGIN, END = "<!-- made by `make papers` -->\n", "<!-- end of what is made -->\n"


def rows() -> Iterator[str]:
    """A line for each kind that people and programs may ask."""
    for kind in KINDS.values():
        if not kind.own:
            params = "<br>".join(_param(path, param) for path, param in walked(kind.params)) or "–"
            yield f"| `{kind.name}` | {kind.words} | {_messages(kind)} | {params} |"


def _messages(kind: Kind) -> str:
    """ "1.6: GetDiagnostics<br>2.0.1, 2.1: GetLog"; one name where it is the same in all."""
    versions: dict[str, list[str]] = {}
    for version in ALL:
        if version in kind.actions:
            versions.setdefault(kind.actions[version], []).append(version)
    if len(versions) == 1 and kind.versions == ALL:
        return next(iter(versions))
    return "<br>".join(f"{', '.join(found)}: {action}" for action, found in versions.items())


def _param(path: str, param: Param) -> str:
    words = f"`{path}`{'' if param.required else '?'}"
    if param.type in (Type.CHOICE, Type.CHOICES):
        words += f" {', '.join(param.values())}"
    elif param.type not in (Type.OBJECT, Type.OBJECTS, Type.TEXT):
        words += f" {param.type.value}"
    return words if len(param.versions) == len(ALL) else f"{words} ({', '.join(param.versions)})"


def page() -> str:
    """docs/commands.md with the table of today."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    head = "| kind | what | OCPP message | parameters |\n|---|---|---|---|\n"
    with translation.override("en"):
        return before + BEGIN + head + "\n".join(rows()) + "\n" + END + after
