"""The nodes of one chain: which of them is asked, and what counts as an answer.

A node speaks where it answers in the form of the call, or refuses with an error code of its own. Everything else is
nobody: a gateway's page or JSON, 403, 408, 429, 502, 503, 504 with whatever body, a call that this node does not
offer, a cut, endless or packed body, JSON of another form. Then the next node is asked. So it is where one refuses: it
may lack an old block, be busy, or be some blocks behind the one that the transaction was built with.

Where there are several nodes, how they stand is looked at every few seconds. One whose newest block is older by 30 s
than another's is cut off, however readily it answers; one of another chain is none of ours. Both are passed over.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from common.outgoing.asking import Answer, Asker, NoAnswer, Patience
from ledger.errors import (
    BY_CODE,
    CallMissing,
    ChainError,
    ChainRefused,
    ChainUnreachable,
    DuplicateTransaction,
    OutcomeUnknown,
    WrongChain,
)

BEHIND_AFTER = timedelta(seconds=30)
LOOK_EVERY_S = 5.0
LOOK_PATIENCE = Patience(1.0, 2.0, 5.0)
QUIET_FOR_S = 15.0  # who gave no answer is asked last for so long
MAX_ANSWER_BYTES = 32 * 1024 * 1024  # a full block in hex has 2 MB
# Said by gateways and by nodes that are full, whatever the body is.
NOBODY = {403, 408, 425, 429, 502, 503, 504}
T = TypeVar("T")


class _NoAnswer(Exception):
    """Nothing that a node said."""


class _NoSuchCall(_NoAnswer):
    """This node does not offer the call (its plugin is not loaded)."""


@dataclass(frozen=True)
class Info:
    """get_info: where the chain stands."""

    chain_id: str
    head_block_num: int
    head_block_time: datetime
    lib_num: int
    lib_id: str
    lib_time: datetime
    earliest_num: int = 1  # of the blocks that this node has, where it says so


@dataclass(frozen=True)
class Standing:
    """How one node stood when it was looked at. `behind` is how much older its newest block is than another's."""

    url: str
    info: Info | None = None
    behind: timedelta = timedelta()
    ours: bool = True

    @property
    def cut_off(self) -> bool:
        return self.behind > BEHIND_AFTER

    @property
    def usable(self) -> bool:
        return self.ours and not self.cut_off


def node_time(text: str) -> datetime:
    """The API's times are UTC without a zone."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)


def number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise TypeError(f"expected a number, got {type(value).__name__}")
    return value


def info_read(found: dict[str, Any]) -> Info:
    lib_id = found["last_irreversible_block_id"]
    if len(bytes.fromhex(lib_id)) != 32:
        raise ValueError("expected a block id of 32 bytes")
    return Info(
        chain_id=str(found["chain_id"]),
        head_block_num=number(found["head_block_num"]),
        head_block_time=node_time(found["head_block_time"]),
        lib_num=number(found["last_irreversible_block_num"]),
        lib_id=lib_id,
        lib_time=node_time(found["last_irreversible_block_time"]),
        earliest_num=max(1, number(found.get("earliest_available_block_num", 1))),
    )


class Nodes:
    """The nodes at `urls`; one HTTP session. Threads may share it."""

    def __init__(self, urls: Sequence[str], *, chain_id: str, patience: Patience) -> None:
        self.urls, self.chain_id = list(urls), chain_id
        self._asker, self._patience = Asker(), patience
        self._standings = [Standing(url) for url in self.urls]
        self._look_at = 0.0
        self._looking = threading.Lock()
        self._quiet_until: dict[str, float] = {}

    # --- asking

    def read(self, call: str, body: dict[str, Any], understand: Callable[[dict[str, Any]], T]) -> T:
        """What `understand` makes of the first usable answer.

        Raises what they refuse; where nobody answers CallMissing or ChainUnreachable; where all of them are of another
        chain WrongChain.
        """
        return self._first(call, body, understand, ChainUnreachable)

    def send(self, body: dict[str, Any], transaction_id: str) -> None:
        """Hand it over until one node takes it, or has it; raises their refusal, or OutcomeUnknown."""

        def understand(found: dict[str, Any]) -> None:
            if found["transaction_id"] != transaction_id:
                raise ValueError("expected our transaction's id")

        self._first("send_transaction2", body, understand, OutcomeUnknown)

    def _first(
        self, call: str, body: dict[str, Any], understand: Callable[[dict[str, Any]], T], nobody: type[ChainError]
    ) -> T:
        asked = _Asked(self)
        for node in self._in_order():
            try:
                return self._ask(node, call, body, understand)
            except DuplicateTransaction:
                raise
            except (_NoAnswer, ChainError) as error:
                asked.take(node, error)
        raise asked.error(nobody)

    def _ask(
        self,
        node: str,
        call: str,
        body: dict[str, Any],
        understand: Callable[[dict[str, Any]], T],
        patience: Patience | None = None,
    ) -> T:
        url = f"{node}/v1/chain/{call}"
        try:
            said = self._asker.ask("POST", url, json=body, patience=patience or self._patience, most=MAX_ANSWER_BYTES)
        except NoAnswer as error:
            raise _NoAnswer(str(error)) from error
        answer = _answer(said)
        try:
            return understand(answer)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _NoAnswer(f"{call}: not in its form: {type(error).__name__}: {error}"[:200]) from error

    # --- how they stand

    def standings(self) -> list[Standing]:
        """How each of them stands, looked at anew after some seconds; one that is alone is not compared."""
        if len(self.urls) > 1 and time.monotonic() >= self._look_at and self._looking.acquire(blocking=False):
            try:
                self._standings = self._look()
                self._look_at = time.monotonic() + LOOK_EVERY_S
            finally:
                self._looking.release()
        return self._standings

    def _look(self) -> list[Standing]:
        with ThreadPoolExecutor(len(self.urls)) as pool:  # at once: one that hangs holds up no other
            infos = list(pool.map(self._info_of, self.urls))
        newest = max((info.head_block_time for info in infos if info and info.chain_id == self.chain_id), default=None)
        return [self._standing(url, info, newest) for url, info in zip(self.urls, infos, strict=True)]

    def _info_of(self, url: str) -> Info | None:
        if self._is_quiet(url):
            return None
        try:
            return self._ask(url, "get_info", {}, info_read, LOOK_PATIENCE)
        except (_NoAnswer, ChainError):
            self.keep_quiet(url)
            return None

    def _standing(self, url: str, info: Info | None, newest: datetime | None) -> Standing:
        if info is None or newest is None:
            return Standing(url, info, ours=info is None)
        ours = info.chain_id == self.chain_id
        return Standing(url, info, newest - info.head_block_time if ours else timedelta(), ours)

    def _in_order(self) -> list[str]:
        """Those that may be asked, as configured, but last who gave no answer lately."""
        usable = [standing.url for standing in self.standings() if standing.usable]
        return sorted(usable, key=self._is_quiet)

    def _is_quiet(self, url: str) -> bool:
        return self._quiet_until.get(url, 0.0) > time.monotonic()

    def keep_quiet(self, url: str) -> None:
        self._quiet_until[url] = time.monotonic() + QUIET_FOR_S

    def passed_over(self) -> list[str]:
        """Why some of them were not asked."""
        return [self.why_not(standing) for standing in self._standings if not standing.usable]

    def why_not(self, standing: Standing) -> str:
        assert standing.info is not None
        if not standing.ours:
            return f"{standing.url}: {self.stranger(standing.info)}"
        behind, num = standing.behind.total_seconds(), standing.info.head_block_num
        return f"{standing.url}: its newest block, {num}, is {behind:.0f} s older than another node's"

    def stranger(self, info: Info) -> str:
        return f"expected chain {self.chain_id or '(none is pinned)'}, got {info.chain_id}"

    @property
    def all_strange(self) -> bool:
        return not any(standing.ours for standing in self._standings)


class _Asked:
    """What the nodes said to one call, until one of them answers it."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._said: list[str] = []
        self._refused: list[ChainError] = []
        self._strange = 0
        self._missing = False

    def take(self, node: str, error: _NoAnswer | ChainError) -> None:
        self._said.append(f"{node}: {error}")
        if isinstance(error, WrongChain):
            self._strange += 1
        elif isinstance(error, ChainError):
            self._refused.append(error)
        elif isinstance(error, _NoSuchCall):
            self._missing = True
        else:
            self._nodes.keep_quiet(node)

    def error(self, nobody: type[ChainError]) -> ChainError:
        """A refusal counts more than silence; another chain only where nobody of ours may be there."""
        said = "; ".join([*self._said, *self._nodes.passed_over()])
        if self._refused:
            first = self._refused[0]
            return type(first)(said, first.code)
        if self._nodes.all_strange or (self._strange and self._strange == len(self._said)):
            return WrongChain(said)
        return CallMissing(said) if self._missing and nobody is ChainUnreachable else nobody(said)


def _answer(said: Answer) -> dict[str, Any]:
    """The JSON of a success; a node's refusal as a typed error; anything else is no answer."""
    status = said.status
    if status in NOBODY:
        raise _NoAnswer(f"HTTP {status}")
    try:
        answer = said.json()
    except ValueError as error:
        raise _NoAnswer(f"HTTP {status} without JSON") from error
    if not isinstance(answer, dict):
        raise _NoAnswer(f"HTTP {status} with a {type(answer).__name__}")
    if said.is_success:
        return answer
    if status == 404:
        raise _NoSuchCall("HTTP 404: this node does not offer the call")
    refusal = answer["error"] if isinstance(answer.get("error"), dict) else {}
    code = refusal.get("code")
    if type(code) is not int or code == 0 or not 400 <= status < 600:
        raise _NoAnswer(f"HTTP {status} without a code of the chain")
    raise BY_CODE.get(code, ChainRefused)(_message(refusal), code)


def _message(error: dict[str, Any]) -> str:
    details = error.get("details")
    said = (
        [str(item.get("message", "")) for item in details if isinstance(item, dict)]
        if isinstance(details, list)
        else []
    )
    return ": ".join(part for part in [str(error.get("what", "")), *said[:1]] if part)
