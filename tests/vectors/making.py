"""Making one case: the receipt, the pins, what each node answers, and what is right to say of it."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tests.vectors.chain import ACCOUNT, CHAIN_ID, CODE_HASH, CODE_UPDATED, URLS, Answer, Json, World

STEPS = 12
Answers = dict[str, Answer]
Node = tuple[str, Answers]
WORLD = World()
PINS: Json = {"chain_id": CHAIN_ID, "ak": None, "account": ACCOUNT, "code_hash": CODE_HASH}
PINS |= {"code_updated": CODE_UPDATED, "meter_keys": []}
QUIET: Json = {"credited": None, "producers": 21, "replaceable_by": [], "hosts": 2, "signed": "NOT SIGNED"}
SILENT: Json = {"credited": None, "producers": None, "replaceable_by": None, "hosts": 0, "signed": "NOT SIGNED"}
FAILED, UNDECIDED = "failed", "undecided"


def case(
    name: str,
    why: str,
    *,
    world: World = WORLD,
    receipt: Json | str | bytes | None = None,
    blanks: int = 0,
    nodes: Sequence[Node] | None = None,
    steps: Mapping[int, str] | None = None,
    notices: Json | None = None,
    **pins: Any,
) -> Json:
    """`steps` are those that are not ok. By default two honest nodes are asked, and everything is pinned."""
    content = world.receipt() if receipt is None else receipt
    asked = both(world) if nodes is None else nodes
    named: dict[str, Answers] = {}
    listed = []
    for url, answers in asked:
        label = next((label for label, known in named.items() if known == answers), "ABCDEF"[len(named)])
        named[label] = answers
        listed.append({"url": url, "answers": label})
    outcomes = [(steps or {}).get(number, "ok") for number in range(1, STEPS + 1)]
    verdict = "NOT VALID" if FAILED in outcomes else "NOT DECIDED" if UNDECIDED in outcomes else "VERIFIED"
    return {
        "name": name,
        "why": why,
        "receipt": {**written(content), **({"blanks": blanks} if blanks else {})},
        "pins": {"key": world.key.public, **PINS, **pins},
        "answers": {label: [_written(answer) for answer in answers.values()] for label, answers in named.items()},
        "nodes": listed,
        "right": {"verdict": verdict, "steps": outcomes, "notices": {**QUIET, **(notices or {})}},
    }


def written(content: Json | str | bytes) -> Json:
    if isinstance(content, bytes):
        return {"base64": base64.b64encode(content).decode()}
    return {"text": content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)}


def _written(answer: Answer) -> Json:
    try:
        content: Json = {"text": answer.content.decode()}
    except UnicodeDecodeError:
        content = written(answer.content)
    return {"call": answer.call, "body": answer.body, "status": answer.status, **content}


def no_receipt(name: str, why: str, receipt: Json | str | bytes, **more: Any) -> Json:
    """A file that is no receipt: step 1 fails, and nobody is asked."""
    nothing = {**undecided(*range(2, STEPS + 1)), **failed(1)}
    said = {**SILENT, "signed": None}
    return case(name, why, receipt=receipt, nodes=[(url, {}) for url in URLS], steps=nothing, notices=said, **more)


def undecided(*numbers: int) -> dict[int, str]:
    return dict.fromkeys(numbers, UNDECIDED)


def failed(*numbers: int) -> dict[int, str]:
    return dict.fromkeys(numbers, FAILED)


# --- nodes


def both(world: World = WORLD, *changes: Callable[[Answers], Answers]) -> list[Node]:
    """Two nodes that say the same: the truth, changed."""
    return [(url, said(world, *changes)) for url in URLS]


def one(world: World, *changes: Callable[[Answers], Answers]) -> list[Node]:
    """An honest node, and one that says something else."""
    return [(URLS[0], world.answers()), (URLS[1], said(world, *changes))]


def said(world: World, *changes: Callable[[Answers], Answers]) -> Answers:
    answers = world.answers()
    for change in changes:
        answers = change(answers)
    return answers


def edit(name: str, change: Callable[[Any], None]) -> Callable[[Answers], Answers]:
    """Change the JSON of one answer."""

    def apply(answers: Answers) -> Answers:
        content = json.loads(answers[name].content)
        change(content)
        return says(name, json.dumps(content))(answers)

    return apply


def put(name: str, member: str, value: Any) -> Callable[[Answers], Answers]:
    return edit(name, lambda content: content.__setitem__(member, value))


def drop(name: str, member: str) -> Callable[[Answers], Answers]:
    return edit(name, lambda content: content.pop(member))


def swap(name: str, old: str, new: str) -> Callable[[Answers], Answers]:
    """Change the bytes of one answer."""

    def apply(answers: Answers) -> Answers:
        text = answers[name].content.decode()
        assert old in text, (name, old)
        return says(name, text.replace(old, new, 1))(answers)

    return apply


def says(name: str, content: str | bytes, status: int = 200) -> Callable[[Answers], Answers]:
    """Answer this instead."""
    data = content.encode() if isinstance(content, str) else content
    return lambda answers: {**answers, name: replace(answers[name], content=data, status=status)}


def silent(*names: str) -> Callable[[Answers], Answers]:
    """No answer to these questions: HTTP 404."""
    return lambda answers: {name: answer for name, answer in answers.items() if name not in names}
