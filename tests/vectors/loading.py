"""Reading the vectors, for whoever runs them through a verifier."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

DIRECTORY = Path(__file__).parent / "cases"
Json = dict[str, Any]
NOT_LISTED = (404, b"")


@dataclass(frozen=True)
class Vector:
    """One case; what its members mean is in README.md."""

    name: str
    why: str
    receipt: bytes
    pins: Json  # key, chain_id, ak, account, code_hash, code_updated
    urls: tuple[str, ...]
    answers: Mapping[str, Mapping[str, tuple[int, bytes]]]  # URL to question to status and body
    right: Json  # verdict, steps, notices

    def answer(self, url: str, call: str, body: bytes) -> tuple[int, bytes]:
        """What the node with this URL answers to a call of its API."""
        return self.answers[url].get(question(call, json.loads(body)), NOT_LISTED)


def question(call: str, body: Json) -> str:
    return f"{call} {json.dumps(body, sort_keys=True)}"


@cache
def vectors() -> tuple[Vector, ...]:
    return tuple(vector_of(json.loads(path.read_text())) for path in sorted(DIRECTORY.glob("*.json")))


def vector_of(found: Json) -> Vector:
    sets = {
        label: {question(item["call"], item["body"]): (item["status"], _bytes(item)) for item in answers}
        for label, answers in found["answers"].items()
    }
    return Vector(
        name=found["name"],
        why=found["why"],
        receipt=_bytes(found["receipt"]) + b" " * found["receipt"].get("blanks", 0),
        pins=found["pins"],
        urls=tuple(node["url"] for node in found["nodes"]),
        answers={node["url"]: sets[node["answers"]] for node in found["nodes"]},
        right=found["right"],
    )


def _bytes(written: Json) -> bytes:
    return base64.b64decode(written["base64"]) if "base64" in written else str(written["text"]).encode()
