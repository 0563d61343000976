"""The diagram of the rooms, docs/diagrams/rooms.dot: made from the imports, so that it cannot say what is not so.

A room is a folder. An arrow says "imports"; one that follows from others is left out (ledger -> common, as ledger ->
stations -> common is there). Between packages there is one arrow for all their rooms.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("evportal", "portal", "gateway", "ledger", "stations", "api", "accounts", "tpm", "common")
APART = ("tpm/service",)  # ships alone, so it is drawn as a package of its own
WIRES = {"migrations", "management", "templatetags", "formats"}  # Django looks for these in each package
WIRING = {"apps", "urls", "admin", "tests"}  # these bring the rooms of their package together
HEAD = """\
// Made from the imports by `make papers` (dev/papers/rooms.py); a test compares.
digraph rooms {
  graph [compound=true, rankdir=TB, fontname="Helvetica", fontsize=13, nodesep=0.18, ranksep=0.35, newrank=false]
  node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica", fontsize=11, height=0.28]
  edge [color="#555555", arrowsize=0.6]
"""
Arrows = dict[str, set[str]]


def modules() -> dict[str, Path]:
    """Name and file of each module that is in a room."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            inside = path.relative_to(ROOT).with_suffix("")
            wiring = inside.name in WIRING and len(inside.parts) == 2
            if not WIRES & set(inside.parts) and not wiring:
                found[".".join(inside.parts).removesuffix(".__init__")] = path
    return found


def imported(path: Path) -> Iterator[str]:
    """What a file imports at run time, also inside functions; imports for types only do not count."""
    tree = ast.parse(path.read_text())
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)]
    types_only = {node for block in blocks for statement in block.body for node in ast.walk(statement)}
    for node in ast.walk(tree):
        if node in types_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def arrows() -> Arrows:
    """Room -> the rooms that it imports from."""
    known = modules()
    room_of = {name: str(path.parent.relative_to(ROOT)) for name, path in known.items()}
    found: Arrows = {room_of[name]: set() for name, path in known.items() if path.name != "__init__.py"}
    for name, path in known.items():
        for target in imported(path):
            while target and target not in known:
                target = target.rpartition(".")[0]
            if target and room_of[target] != room_of[name]:
                found.setdefault(room_of[name], set()).add(room_of[target])
    return found


def package_of(room: str) -> str:
    return next((apart for apart in APART if room.startswith(apart)), room.split("/")[0])


def between(found: Mapping[str, Iterable[str]]) -> Arrows:
    """Package -> the packages that its rooms import from."""
    packages: Arrows = {package_of(room): set() for room in found}
    for room, targets in found.items():
        packages[package_of(room)] |= {package_of(target) for target in targets} - {package_of(room)}
    return packages


def reached(start: str, found: Arrows, seen: set[str]) -> set[str]:
    """All rooms that lead on from this one, in `seen`."""
    for target in found.get(start, ()):
        if target not in seen:
            seen.add(target)
            reached(target, found, seen)
    return seen


def one_way(found: Arrows) -> Arrows:
    """Without the arrows of circles, which there should not be (tests/test_imports.py)."""
    return {room: {target for target in found[room] if room not in reached(target, found, set())} for room in found}


def reduced(found: Arrows) -> Arrows:
    """Without the arrows that follow from others; those of a circle stay, so that it is seen."""
    plain = one_way(found)

    def longer_way(room: str, target: str) -> bool:
        return any(target in reached(other, plain, {other}) for other in plain[room] - {target})

    follows = {room: {target for target in plain[room] if longer_way(room, target)} for room in found}
    return {room: found[room] - follows[room] for room in found}


def dot() -> str:
    """The diagram as Graphviz reads it."""
    found = arrows()
    packages: dict[str, Arrows] = {}
    for room in sorted(found):
        packages.setdefault(package_of(room), {})[room] = {
            target for target in found[room] if package_of(target) == package_of(room)
        }
    inside = {package: reduced(rooms) for package, rooms in packages.items()}
    lines = [HEAD, *(_cluster(package, rooms) for package, rooms in inside.items())]
    for package, targets in reduced(between(found)).items():
        lines += [_arrow(package, target, inside) for target in sorted(targets)]
    return "\n".join(lines) + "\n}\n"


def _cluster(package: str, rooms: Arrows) -> str:
    lines = [f'  subgraph "cluster_{package}" {{', f'    label="{package}/"; style=filled; color="#dfe7f0"']
    for room in rooms:
        lines.append(f'    "{room}" [label="{room.removeprefix(f"{package}/") if room != package else "·"}"]')
    lines += [f'    "{room}" -> "{target}"' for room in rooms for target in sorted(rooms[room])]
    first, aimed_at = _first(rooms), set().union(*rooms.values())
    lines += [f'    "{first}" -> "{room}" [style=invis]' for room in rooms if room not in {first, *aimed_at}]
    return "\n".join([*lines, "  }"])


def _arrow(package: str, target: str, inside: Mapping[str, Arrows]) -> str:
    """From one frame to the other; drawn from a room at the bottom to one at the top, so that frames are stacked."""
    depths = _depths(inside[package])
    last = max(depths, key=lambda room: (depths[room], room))
    frames = f'ltail="cluster_{package}", lhead="cluster_{target}"'
    return f'  "{last}" -> "{_first(inside[target])}" [{frames}, penwidth=2]'


def _first(rooms: Arrows) -> str:
    return min(rooms, key=lambda room: (_depths(rooms)[room], -len(rooms[room]), room))


def _depths(rooms: Arrows) -> dict[str, int]:
    """How many arrows lead down to each room."""
    depths, plain = dict.fromkeys(rooms, 0), one_way(rooms)
    for room in reversed(list(TopologicalSorter(plain).static_order())):
        for target in plain[room]:
            depths[target] = max(depths[target], depths[room] + 1)
    return depths
