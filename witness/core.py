"""What a witness does: takes a checkpoint, and cosigns it when nothing speaks against it (C2SP tlog-witness).

1. The request and the checkpoint have their form.                                            400
2. It is of a log that we know,                                                               404
3. and that log's key signed it.                                                              403
4. The client begins where we stand.                                  409 (text/x.tlog.size), 400
5. The tree begins with the one that we cosigned last.                409 (another root), 422
6. Where we have nodes: the chain says the same root.                 422, or 503: ask again
7. Where we know the log's address: its entries make this root, and
   each of them is on the chain as it is in the log; none is missing. 422, or 503: ask again
8. It is kept on the disk. Only then it is cosigned.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from witness.config import Log
from witness.errors import Contradiction, FormError, NotYet, WitnessError, shown
from witness.keys import SigningKey
from witness.notes import Checkpoint, Note, decimal, hash_bytes
from witness.state import Content, Standing, State
from witness.trees import check_consistency

PROOF_LINES_MAX = 63
TIME_MIN = 1_767_225_600  # 2026: a clock that says less was never set
PATIENCE_S = 5.0  # for another request about the same log
PLAIN, SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"

log = logging.getLogger("witness")


@dataclass(frozen=True)
class Answer:
    """A status of HTTP, a text, and what it is."""

    status: int
    text: str
    content_type: str = PLAIN


class Refusal(WitnessError):
    """The checkpoint is not cosigned; carries the answer."""

    def __init__(self, status: int, reason: str, answer: Answer | None = None) -> None:
        super().__init__(reason)
        self.answer = answer or Answer(status, f"{reason}\n")


@dataclass(frozen=True)
class Request:
    """The body of add-checkpoint, understood."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint

    @classmethod
    def parse(cls, body: bytes) -> "Request":
        """Read a body; raises FormError."""
        head, empty, rest = body.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise FormError("expected the lines of a proof") from None
        if not empty or not lines[0].startswith("old "):
            raise FormError("expected `old SIZE`, the lines of a proof, an empty line, and a checkpoint")
        if len(lines) - 1 > PROOF_LINES_MAX:
            raise FormError(f"expected a proof of at most {PROOF_LINES_MAX} lines")
        old, proof, note = decimal(lines[0][4:]), tuple(hash_bytes(line) for line in lines[1:]), Note.parse(rest)
        return cls(old, proof, note, Checkpoint.parse(note.text))


@dataclass
class Followed:
    """A log, where it stands with us, and the last time that we refused. Who holds `lock` may change it."""

    log: Log
    standing: Standing
    lock: threading.Lock = field(default_factory=threading.Lock)
    refused: dict[str, Any] | None = None


class Witness:
    """Threads may share it. `now` tells POSIX seconds."""

    def __init__(
        self, key: SigningKey, state: State, logs: Mapping[str, Log], now: Callable[[], float] = time.time
    ) -> None:
        self.key, self._state, self._now = key, state, now
        self._logs = {origin: Followed(each, state.read(origin)) for origin, each in logs.items()}
        self._clock = threading.Lock()
        self._last_time = max((each.standing.time for each in self._logs.values()), default=0)

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer a request; never raises but for what is wrong with our disk (OSError)."""
        try:
            followed, request = self._recognised(body)
        except Refusal as refusal:
            log.info("refused: %s", refusal)
            return refusal.answer
        if not followed.lock.acquire(timeout=PATIENCE_S):
            return Answer(503, "another checkpoint of this log is being checked: ask again\n")
        try:
            return self._cosigned(followed, request)
        except Refusal as refusal:
            self._tell(followed, request, refusal)
            return refusal.answer
        finally:
            followed.lock.release()

    def _recognised(self, body: bytes) -> tuple[Followed, Request]:
        """Steps 1 to 3, and what step 4 can see without a state."""
        try:
            request = Request.parse(body)
        except FormError as error:
            raise Refusal(400, str(error)) from error
        checkpoint = request.checkpoint
        followed = self._logs.get(checkpoint.origin)
        if followed is None:
            raise Refusal(404, f"this witness does not know the log {shown(checkpoint.origin)}")
        if request.note.signed_by(followed.log.key) is None:
            raise Refusal(403, f"no valid signature of the key of {checkpoint.origin}")
        if request.old > checkpoint.size:
            raise Refusal(400, f"old size {request.old} is above the checkpoint's, {checkpoint.size}")
        return followed, request

    def _cosigned(self, followed: Followed, request: Request) -> Answer:
        """Steps 4 to 8, by whoever holds the log's lock."""
        standing, checkpoint = followed.standing, request.checkpoint
        self._two_roots(standing, request)
        if request.old != standing.size:
            text = f"{standing.size}\n"
            raise Refusal(409, f"begins at {request.old}, we are at {standing.size}", Answer(409, text, SIZE))
        try:
            proof = request.proof
            check_consistency(request.old, standing.root, checkpoint.size, checkpoint.root, proof)
            content = self._looked_at(followed.log, standing, checkpoint)
            moment = self._time(followed.log)
        except Contradiction as error:
            raise Refusal(422, str(error)) from error
        except NotYet as error:
            raise Refusal(503, f"ask again: {error}") from error
        cosignature = self.key.cosign(request.note.text, moment)
        line = request.note.signed_by(followed.log.key)
        assert line is not None
        whole = Note(request.note.text, (line, cosignature)).whole
        kept = standing.grown(size=checkpoint.size, root=checkpoint.root, time=moment, note=whole, content=content)
        self._state.keep(kept)
        followed.standing = kept
        log.info("cosigned %s, size %d, root %s", standing.origin, checkpoint.size, checkpoint.root.hex())
        return Answer(200, cosignature.line)

    def _two_roots(self, standing: Standing, request: Request) -> None:
        """Raise the refusal where we cosigned another root of this size; both notes are kept as a proof."""
        checkpoint = request.checkpoint
        before = standing.seen.get(checkpoint.size)
        if before is None:
            return
        other, notes = Checkpoint.parse(Note.parse(before.encode()).text).root, [before, request.note.whole]
        if other == checkpoint.root:
            return
        reason = f"two roots for {checkpoint.size} leaves: {other.hex()} was cosigned, this is {checkpoint.root.hex()}"
        self._state.accuse(standing.origin, {"time": int(self._now()), "reason": reason, "notes": notes})
        raise Refusal(409, reason)

    def _looked_at(self, log: Log, standing: Standing, checkpoint: Checkpoint) -> Content:
        """Steps 6 and 7; returns what is read then."""
        where = log.chain.row_of(checkpoint.size, checkpoint.root) if log.chain else None
        return log.reader.read(standing.content, checkpoint, where) if log.reader else standing.content

    def _time(self, log: Log) -> int:
        """The time to sign, never below the last one; raises NotYet where our clock cannot be right."""
        now = self._now()
        trouble = log.chain.clock_trouble(now) if log.chain else ""
        if now < TIME_MIN:
            trouble = "our clock was never set"
        if trouble:
            raise NotYet(trouble)
        with self._clock:
            self._last_time = max(self._last_time, int(now))
            return self._last_time

    def _tell(self, followed: Followed, request: Request, refusal: Refusal) -> None:
        """Say it in the log file; what contradicts is also kept for the status."""
        answer, checkpoint = refusal.answer, request.checkpoint
        contradicts = answer.status == 422 or (answer.status == 409 and answer.content_type != SIZE)
        level = logging.ERROR if contradicts else logging.INFO
        log.log(level, "not cosigned: %s, size %d: %s", checkpoint.origin, checkpoint.size, refusal)
        if contradicts:
            told = {"time": int(self._now()), "status": answer.status, "reason": str(refusal)}
            followed.refused = {**told, "note": request.note.whole}

    def status(self) -> dict[str, Any]:
        """Everything that we know, for anybody."""
        now = self._now()
        behind = self._last_time - now
        return {
            "name": self.key.name,
            "vkey": self.key.verifier.text,
            "time": int(now),
            "clock": f"{behind:.0f} s behind the last time that was signed" if behind > 1 else None,
            "logs": [self._status_of(followed, now) for followed in self._logs.values()],
            "ak_certificates": self._state.ak_certificates(),
        }

    def _status_of(self, followed: Followed, now: float) -> dict[str, Any]:
        standing, known = followed.standing, followed.log
        return {
            "origin": standing.origin,
            "vkey": known.key.text,
            "size": standing.size,
            "root": standing.root.hex() if standing.note else None,
            "time": standing.time or None,
            "checkpoint": standing.note or None,
            "chain": known.chain.as_json() if known.chain else None,
            "clock": (known.chain.clock_trouble(now) if known.chain else "") or None,
            "content": {"size": standing.content.tree.size} if known.reader else None,
            "refused": followed.refused,
            "evidence": self._state.evidence(standing.origin),
        }
