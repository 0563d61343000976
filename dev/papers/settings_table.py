"""docs/settings.md, made from evportal/settings.py, tpm/service/settings.py and compose.yaml.

Each setting of the portal has its meaning in the comment behind it, or above it; each of the TPM service in the
docstring. Nothing is imported: what is not set yet must not be needed to say what there is.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dev.papers.words import COMPOSE_VARIABLES, DEMO_HEAD, HEAD, NOT_IN_COMPOSE, TPM_HEAD, VARIABLES_HEAD
from dev.stack.layout import DEFAULT_PORTS, variable

ROOT = Path(__file__).resolve().parents[2]
PORTAL, TPM_SERVICE = ROOT / "evportal" / "settings.py", ROOT / "tpm" / "service" / "settings.py"
PORTAL_OCPP = ROOT / "evportal" / "settings_ocpp.py"
COMPOSE, HARDWARE = ROOT / "compose.yaml", ROOT / "compose.hardware.yaml"
PAGE = ROOT / "docs" / "settings.md"


@dataclass(frozen=True)
class Setting:
    """One name that is read from the environment; `default` None: it has to be set."""

    section: str
    name: str
    default: str | None
    meaning: str


# --- evportal/settings.py


class Comments:
    """The comments of a source: those behind something, those that fill their lines, and the heads of sections."""

    def __init__(self, source: str) -> None:
        self.behind: dict[int, str] = {}
        self.whole: dict[int, str] = {}
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                kind = self.whole if token.line.lstrip().startswith("#") else self.behind
                kind[token.start[0]] = token.string.removeprefix("#").strip()

    def of(self, statement: ast.stmt) -> str:
        """What stands behind it, else the lines right above it."""
        assert statement.end_lineno is not None
        if found := self.behind.get(statement.end_lineno):
            return found
        above: list[str] = []
        line = statement.lineno - 1
        while line in self.whole and not self.whole[line].startswith("---"):
            above.insert(0, self.whole[line])
            line -= 1
        return " ".join(above)

    def section(self, line: int) -> str:
        heads = [number for number, text in self.whole.items() if number < line and text.startswith("---")]
        return self.whole[max(heads)].removeprefix("---").partition(":")[0].strip() if heads else "Core"


def all_portal_settings() -> list[Setting]:
    """What the portal reads from the environment, in the order of its files."""
    return [item for path in (PORTAL, PORTAL_OCPP) for item in portal_settings(path.read_text())]


def portal_settings(source: str) -> list[Setting]:
    """What one of the files reads from the environment, in its order."""
    comments, found = Comments(source), {}
    names: dict[str, str] = {}  # OIDC_ISSUER -> EVPORTAL_OIDC_ISSUER
    for statement in ast.parse(source).body:
        for call in _environment_calls(statement):
            name = _name(call)
            if name in found:
                continue
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                names[statement.targets[0].id] = name
            default = _default(call, names)
            found[name] = Setting(comments.section(statement.lineno), name, default, comments.of(statement))
    return list(found.values())


def _environment_calls(node: ast.AST) -> Iterator[ast.Call]:
    """The calls of evportal/env.py with a name, but not those inside them: these are parts of a default."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and ast.unparse(child.func).startswith("env.") and _name(child):
            yield child
        else:
            yield from _environment_calls(child)


def _name(call: ast.Call) -> str:
    texts = [item.value for item in call.args if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return next((text for text in texts if text.startswith("EVPORTAL_")), "")


def _default(call: ast.Call, names: dict[str, str]) -> str | None:
    if ast.unparse(call.func) == "env.secret_kept_in":
        return f"made once in {_shown(call.args[0], names)}"
    if len(call.args) < 2:
        return ""
    return _shown(call.args[1], names)


def _shown(node: ast.expr, names: dict[str, str]) -> str:
    """A default as whoever sets it would write it: paths below the checkout, other settings by their names."""
    match node:
        case ast.Constant(value=bool(value)):
            return str(int(value))
        case ast.Constant(value=value):
            return str(value)
        case ast.Name(id="VAR_DIR"):
            return "var"
        case ast.Name(id=name):
            return f"that of {names[name]}" if name in names else name
        case ast.BinOp(left=left, right=right):
            return f"{_shown(left, names)}/{_shown(right, names)}"
        case ast.JoinedStr(values=values):
            return "".join(_part(value, names) for value in values)
        case ast.Call(args=[inner]):  # str(…)
            return _shown(inner, names)
        case ast.Call() as call:
            return _name(call)
        case ast.IfExp(test=test, body=body, orelse=other):
            return f"{_shown(body, names)} with {_shown(test, names)}, else {_shown(other, names)}"
    raise ValueError(f"no words for the default {ast.unparse(node)}")


def _part(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.FormattedValue):
        return _shown(node.value, names).removeprefix("that of ")
    return _shown(node, names)


# --- tpm/service/settings.py


def tpm_settings(source: str) -> list[Setting]:
    """What the TPM service reads from its environment: named and explained in the docstring, defaults in the code."""
    tree = ast.parse(source)
    defaults = dict(_tpm_defaults(tree))
    meanings: dict[str, str] = {}
    name = ""
    for line in (ast.get_docstring(tree) or "").splitlines():
        if found := re.fullmatch(r"(TPM_\w+) +(.+)", line):
            name, meanings[found[1]] = found[1], found[2]
        elif name and line.startswith(" "):
            meanings[name] += f" {line.strip()}"
        else:
            name = ""
    if set(meanings) != set(defaults):
        raise ValueError(f"named in the docstring or read, not both: {sorted(set(meanings) ^ set(defaults))}")
    plain = re.compile(r" ?\(default [^):]*\)")
    return [Setting("TPM service", key, defaults[key], plain.sub("", text)) for key, text in meanings.items()]


def _tpm_defaults(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            first = node.args[0]
            if isinstance(first, ast.Constant) and str(first.value).startswith("TPM_"):
                named = {keyword.arg: keyword.value for keyword in node.keywords}
                yield str(first.value), _tpm_default(node, named.get("default"))


def _tpm_default(call: ast.Call, named: ast.expr | None) -> str | None:
    if isinstance(call.func, ast.Name) and call.func.id == "pcrs":
        return ""
    given = named or (call.args[1] if len(call.args) > 1 else None)
    return str(given.value) if isinstance(given, ast.Constant) else None  # an expression says when it may be left out


# --- compose.yaml


def in_compose(name: str, environments: list[dict[str, Any]]) -> str:
    """Whether compose lets it be set: "yes", in which file it is, what compose sets it to, or why it is not there."""
    for environment in environments:
        if name in environment:
            value = environment[name]
            return "yes" if value is None or f"${{{name}" in str(value) else f"`{value}`"
        if f"{name}_FILE" in environment:
            return f"secret `{Path(str(environment[f'{name}_FILE'])).name}`"
    return NOT_IN_COMPOSE[name]


def environments(services: tuple[str, ...]) -> list[dict[str, Any]]:
    found = yaml.safe_load(COMPOSE.read_text())["services"]
    return [found[name].get("environment", {}) for name in services]


def compose_variables() -> dict[str, str]:
    """The names in ${…} of both compose files that are no settings of the programs, with their defaults."""
    programs = {item.name for item in all_portal_settings()}
    found: dict[str, str] = {}
    for path in (COMPOSE, HARDWARE):
        for name, default in re.findall(r"\$\{(\w+)(?::-([^}]*))?", path.read_text()):
            if name not in programs:
                found[name] = found.get(name) or default
    return found


# --- the page


def page() -> str:
    """docs/settings.md; raises KeyError or ValueError where a setting has no words."""
    lines = [HEAD]
    section = ""
    portal = environments(("web", "worker"))
    for item in all_portal_settings():
        if item.section != section:
            section = item.section
            lines += ["", f"## {section}", "", "| name | what | default | compose |", "|---|---|---|---|"]
        lines.append(_row(item, in_compose(item.name, portal)))
    lines += ["", TPM_HEAD, "", "| name | what | default | compose |", "|---|---|---|---|"]
    service = environments(("tpm",))
    lines += [_row(item, in_compose(item.name, service)) for item in tpm_settings(TPM_SERVICE.read_text())]
    lines += ["", VARIABLES_HEAD, "", "| name | what | default |", "|---|---|---|"]
    for name, default in sorted(compose_variables().items()):
        lines.append(f"| `{name}` | {COMPOSE_VARIABLES[name]} | {_quoted(default)} |")
    lines += ["", DEMO_HEAD, "", "| name | default |", "|---|---|"]
    lines += [f"| `{variable(part)}` | `{port}` |" for part, port in DEFAULT_PORTS.items()]
    return "\n".join(lines) + "\n"


def _row(item: Setting, compose: str) -> str:
    if not item.meaning:
        raise ValueError(f"{item.name} has no comment that says what it is")
    default = "has to be set" if item.default is None else _quoted(item.default)
    meaning = item.meaning[0].upper() + item.meaning[1:].replace(" | ", " or ").removesuffix(".")
    return f"| `{item.name}` | {meaning} | {default} | {compose} |"


def _quoted(default: str) -> str:
    plain = default and not default.startswith(("made once", "that of")) and " with " not in default
    return f"`{default}`" if plain else default or "-"
