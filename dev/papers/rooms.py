"""The diagram of the rooms, docs/diagrams/rooms.dot: made from the imports, so that it cannot say what is not so.

A room is a folder. An arrow says "imports"; one that follows from others is left out (ledger -> common, as ledger ->
stations -> common is there). Between packages there is one arrow for all their rooms.
"""

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter

from tests.test_imports import PACKAGES, graph
from tests.test_imports import room as room_of

APART = ("tpm/service",)  # ships alone, so it is drawn as a package of its own
WIRES = {"management", "templatetags", "formats"}  # Django looks for these; they bring rooms together
HEAD = """\
// Made from the imports by `make papers` (dev/papers/rooms.py); a test compares.
digraph rooms {
  graph [compound=true, rankdir=TB, fontname="Helvetica", fontsize=13, nodesep=0.18, ranksep=0.35, newrank=false]
  node [shape=box, style="rounded,filled", fillcolor=white, fontname="Helvetica", fontsize=11, height=0.28]
  edge [color="#555555", arrowsize=0.6]
"""
Arrows = dict[str, set[str]]


def arrows() -> Arrows:
    """Room -> the rooms that it imports from, as tests/test_imports.py sees them; without the wiring above them."""
    found: Arrows = {}
    for module, targets in graph().items():
        if module.split(".")[0] in PACKAGES and _drawn(here := _room(module)):
            others = {_room(target) for target in targets} - {here}
            found.setdefault(here, set()).update(filter(_drawn, others))
    aimed_at = set().union(*found.values())
    return {room: targets for room, targets in found.items() if targets or room in aimed_at}


def _room(module: str) -> str:
    return room_of(module).replace("evportal (wiring)", "evportal")  # which is nothing else


def _drawn(room: str) -> bool:
    return not room.endswith("(wiring)") and not WIRES & set(room.split("/"))


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
