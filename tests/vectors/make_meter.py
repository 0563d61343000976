"""Write the vectors of signed meter values: `python -m tests.vectors.make_meter`; the same bytes each time."""

import json
from pathlib import Path

from tests.vectors import meters

DIRECTORY = Path(__file__).parent / "meter"


def files() -> dict[str, str]:
    """File name to content."""
    found: dict[str, str] = {}
    for content in meters.cases():
        name = f"{content['name']}.json"
        assert name not in found, name
        found[name] = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
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
