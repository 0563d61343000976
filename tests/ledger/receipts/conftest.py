"""What tests of the receipts are given: nodes behind proxies and memories."""

import json
from collections.abc import Iterator

import pytest

from tests.ledger.chain.proxy import Answer, Proxy
from tests.ledger.receipts.receipt_chain import Recorded


@pytest.fixture(scope="module")
def proxies(recorded: Recorded) -> Iterator[tuple[Proxy, Proxy]]:
    first, second = Proxy(recorded.nodes[0]), Proxy(recorded.nodes[1])
    yield first, second
    first.close()
    second.close()


@pytest.fixture
def other(proxies: tuple[Proxy, Proxy]) -> Proxy:
    """In front of the first node; honest at first."""
    proxies[0].always.clear()
    return proxies[0]


@pytest.fixture
def proxy(proxies: tuple[Proxy, Proxy]) -> Proxy:
    """In front of the second node; honest at first."""
    proxies[1].always.clear()
    return proxies[1]


class Memory(Proxy):
    """Answers the same question the same way again, quicker than the node."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self._server.RequestHandlerClass.disable_nagle_algorithm = True  # type: ignore[attr-defined]  # 40 ms an answer
        self._known: dict[str, Answer | None] = {}

    def answer(self, method: str, path: str, body: bytes) -> Answer | None:
        """However the question is written: a block that is not there yet must not come between two who ask for it."""
        question = f"{path} {json.loads(body or b'null')}"
        if question not in self._known:
            self._known[question] = super().answer(method, path, body)
        return self._known[question]


@pytest.fixture(scope="module")
def remembered(recorded: Recorded) -> Iterator[tuple[str, ...]]:
    """Both nodes behind a memory, for the many questions of the tampered receipts."""
    memories = [Memory(url) for url in recorded.nodes]
    yield tuple(memory.url for memory in memories)
    for memory in memories:
        memory.close()
