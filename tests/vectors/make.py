"""Write the vectors: `python -m tests.vectors.make` from the project's directory; the same bytes each time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.vectors import blocks, nodes, receipts, signed

DIRECTORY = Path(__file__).parent / "cases"


def cases() -> Iterator[dict[str, Any]]:
    yield from receipts.cases()
    yield from signed.cases()
    yield from nodes.cases()
    yield from blocks.cases()


def files() -> dict[str, str]:
    """File name to content."""
    found = {}
    for content in cases():
        name = f"{content['name']}.json"
        assert name not in found, name
        found[name] = json.dumps(content, indent=1) + "\n"
    return found


def main() -> None:
    DIRECTORY.mkdir(exist_ok=True)
    made = files()
    for path in DIRECTORY.glob("*.json"):
        if path.name not in made:
            path.unlink()
    for name, text in made.items():
        (DIRECTORY / name).write_text(text)
    print(f"{len(made)} cases in {DIRECTORY}")


if __name__ == "__main__":
    main()
