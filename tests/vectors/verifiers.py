"""Portal's and script's verifier on a vector, in this process: the nodes are a function."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.receipts import receipt
from ledger.receipts.node_reader import NodeReader
from ledger.receipts.receipt import Pins, ReceiptError
from tests.ledger.receipts import receipt_chain
from tests.vectors.loading import NOT_LISTED, Vector, question

STEPS = 12
NOTICES = ("credited", "producers", "replaceable_by", "hosts", "signed")


@dataclass(frozen=True)
class Said:
    """What a verifier says of a case, in the words of the vectors."""

    verdict: str
    outcomes: tuple[str, ...]
    credited: str | None = None
    producers: int | None = None
    replaceable_by: tuple[str, ...] | None = None
    hosts: int = 0
    signed: str | None = None

    @classmethod
    def of(cls, verdict: str, outcomes: Sequence[str], notices: Mapping[str, Any]) -> "Said":
        holders = notices["replaceable_by"]
        told = None if holders is None else tuple(sorted(holders))
        rest = {name: notices[name] for name in NOTICES if name != "replaceable_by"}
        return cls(verdict, tuple(outcomes), replaceable_by=told, **rest)

    @classmethod
    def right(cls, vector: Vector) -> "Said":
        return cls.of(vector.right["verdict"], vector.right["steps"], vector.right["notices"])

    def as_json(self) -> dict[str, Any]:
        notices = {name: getattr(self, name) for name in NOTICES}
        return {"verdict": self.verdict, "steps": self.outcomes, "notices": notices}


NO_RECEIPT = Said("NOT VALID", ("failed", *["undecided"] * (STEPS - 1)))


class _Node(NodeReader):
    """Answers from the vector, read as the portal reads what comes over the network."""

    def __init__(self, url: str, vector: Vector) -> None:
        super().__init__(url)
        self._vector, self._as_given = vector, url

    def post(self, call: str, body: Mapping[str, Any]) -> tuple[int, bytes]:
        return self._vector.answers[self._as_given].get(question(call, dict(body)), NOT_LISTED)


def portal(vector: Vector) -> Said:
    try:
        content = receipt.loads(vector.receipt)
    except ReceiptError:
        return NO_RECEIPT
    names = {"key": "public_key"}
    pins = Pins(**{names.get(name, name): value for name, value in vector.pins.items()})
    check = receipt.verify(content, [_Node(url, vector) for url in vector.urls], pins)
    notices = {name: getattr(check.notices, name) for name in NOTICES}
    return Said.of(check.verdict, [step.outcome for step in check.steps], notices)


def script(vector: Vector) -> Said:
    module: Any = receipt_chain.script()
    given = {url.rstrip("/"): url for url in reversed(vector.urls)}

    def post(url: str, call: str, query: dict[str, Any]) -> tuple[int, bytes, None]:
        return *vector.answers[given[url]].get(question(call, query), NOT_LISTED), None

    over_network, module.post = module.post, post
    try:
        steps, notices = module.verify(vector.receipt, list(vector.urls), vector.pins)
    finally:
        module.post = over_network
    outcomes = [step[1] for step in steps]
    verdict = "NOT VALID" if "failed" in outcomes else "NOT DECIDED" if "undecided" in outcomes else "VERIFIED"
    return Said.of(verdict, outcomes, notices)
