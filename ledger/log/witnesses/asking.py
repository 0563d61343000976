"""Asking a witness to sign the newest checkpoint (C2SP tlog-witness, `add-checkpoint`).

It gets the checkpoint with the proof that it goes on from the one that the witness knows, and answers with its
signature. What it signed is checked before it is stored. Whoever answers may be anybody: little is read, and not for
long (common/outgoing). The question is noted before it is asked, so that of two workers one asks.
"""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction

from common import clock
from common.outgoing.addresses import AddressRefused, resolve
from common.outgoing.asking import Answer, Asker, NoAnswer, Patience
from ledger.alerts import alert_raise, alerts_close
from ledger.log.note import Note, NoteError, Signature, VerifierKey, cosigned_at
from ledger.log.proofs import consistency
from ledger.log.witnesses.owing import AT_IT, Owing, owing
from ledger.log.witnesses.register import ALERTS
from ledger.models import LogCheckpoint, LogCosignature, LogWitness

State = LogWitness.State
PATIENCE = Patience(connect_s=3.0, read_s=10.0, whole_s=15.0)
ANSWER_BYTES_MAX = 16 * 1024
TURNS_MAX = 3  # it may know another size than we think, and another one again after the next checkpoint
REFUSALS = {400, 403, 404, 422}
CLOCKS_DIFFER = timedelta(minutes=5)
SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")


@dataclass(frozen=True)
class Said:
    """What a witness answered; `lines` are its signatures, `size` is the one that it knows instead of ours."""

    lines: bytes = b""
    size: int | None = None
    refused: str = ""
    away: str = ""


def witness_ask(*, witness_id: int) -> bool:
    """Ask this witness if it is due; whether it refuses, so that what it shows should be looked at."""
    for owed in owing(only=witness_id):
        if owed.is_due and _claim(owed.witness):
            return _ask(owed)
    return False


def _claim(witness: LogWitness) -> bool:
    """Note the question. The time before is compared: of two workers one asks."""
    before, now = witness.last_asked_at, clock.now()
    is_free = LogWitness.objects.filter(pk=witness.pk, enabled=True, last_asked_at=before)
    witness.last_asked_at = now
    return bool(is_free.update(last_asked_at=now, last_error=AT_IT))


def _ask(owed: Owing) -> bool:
    witness, checkpoint = owed.witness, owed.checkpoint
    known = min(witness.last_size, checkpoint.size)
    for _ in range(TURNS_MAX):
        said = _said(witness, checkpoint, known)
        if said.size is None or said.size == known or said.size > checkpoint.size:
            break
        known = said.size
    if said.lines:
        return _signed(owed, said.lines)
    if said.size is not None and said.size > checkpoint.size:
        if LogCheckpoint.objects.filter(size=said.size).exists():  # another worker has asked meanwhile
            return _away(owed, f"it knows {said.size} leaves already")
        return _refuses(owed, f"it knows this log with {said.size} leaves, we have published {checkpoint.size}")
    if said.size is not None:
        return _refuses(owed, f"it knows another checkpoint with {known} leaves, or cannot make up its mind")
    return _refuses(owed, said.refused) if said.refused else _away(owed, said.away)


def _said(witness: LogWitness, checkpoint: LogCheckpoint, known: int) -> Said:
    proof = "".join(f"{base64.b64encode(each).decode()}\n" for each in consistency(known, checkpoint.size))
    body = f"old {known}\n{proof}\n{checkpoint.note}".encode()
    url = f"{witness.url}/add-checkpoint"
    try:
        target = resolve(url, local_allowed=settings.WEBHOOK_ALLOW_LOCAL)
        with Asker(strangers=True) as asker:
            headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "EVPortal-Log/1"}
            answer = asker.ask(
                "POST", url, target=target, content=body, headers=headers, patience=PATIENCE, most=ANSWER_BYTES_MAX
            )
    except AddressRefused as error:
        return Said(away=str(error))
    except NoAnswer as error:
        return Said(away=f"no answer: {error}")
    return _understood(answer)


def _understood(answer: Answer) -> Said:
    size = SIZE.fullmatch(answer.content)
    words = f"HTTP {answer.status}: {_plain(answer.content)}"
    if answer.status == 200:
        return Said(lines=answer.content) if answer.content else Said(refused="it answers 200 without a signature")
    if answer.status == 409:
        return Said(size=int(size[1])) if size else Said(refused=words)
    return Said(refused=words) if answer.status in REFUSALS else Said(away=words)


def _plain(content: bytes) -> str:
    """What a stranger says, as text that harms nobody."""
    return "".join(char if char.isprintable() else " " for char in content[:300].decode(errors="replace")).strip()


# --- what comes of it


def _signed(owed: Owing, lines: bytes) -> bool:
    witness, checkpoint = owed.witness, owed.checkpoint
    try:
        signature, at = signature_in(lines, checkpoint, VerifierKey.parse(witness.vkey))
    except NoteError as error:
        return _refuses(owed, f"its answer is no signature of it: {error}")
    with transaction.atomic():
        LogCosignature.objects.bulk_create(
            [LogCosignature(checkpoint=checkpoint, witness=witness, line=signature.line.rstrip("\n"), cosigned_at=at)],
            ignore_conflicts=True,  # the same answer came twice
        )
        _keep(witness, State.OK, "", last_size=checkpoint.size, last_answer_at=clock.now())
    alerts_close(*ALERTS, subject=witness.name)
    return False


def signature_in(lines: bytes, checkpoint: LogCheckpoint, key: VerifierKey) -> tuple[Signature, datetime]:
    """The valid signature of this key among the lines, and its time; raises NoteError.

    The time lies neither before the checkpoint was signed nor in the future, as far as clocks agree.
    """
    text = Note.parse(checkpoint.note.encode()).text
    answered = Note.parse(f"{text}\n".encode() + lines)
    earliest = (checkpoint.signed_at or checkpoint.made_at) - CLOCKS_DIFFER
    latest = clock.now() + CLOCKS_DIFFER
    for signature in answered.signatures:
        seconds = cosigned_at(Note(text, (signature,)), key)
        if seconds is None:
            continue
        if not earliest.timestamp() <= seconds <= latest.timestamp():
            raise NoteError(f"its time, {seconds}, is not between {earliest:%Y-%m-%dT%H:%M:%SZ} and now")
        return signature, datetime.fromtimestamp(seconds, UTC)
    raise NoteError(f"expected a signature of {key.name} with the id {key.key_id.hex()}")


def _refuses(owed: Owing, why: str) -> bool:
    _keep(owed.witness, State.REFUSES, why)
    alert_raise("witness_refuses", owed.witness.name, f"{owed.witness.name} ({owed.witness.url}): {why}")
    return True


def _away(owed: Owing, why: str) -> bool:
    """It is asked again; somebody hears of it once it has taken too long."""
    if owed.is_late:
        _keep(owed.witness, State.MISSING, why)
        since = f"{owed.since:%Y-%m-%d %H:%M:%S} UTC"
        alert_raise(
            "witness_missing", owed.witness.name, f"{owed.witness.name} has signed nothing since {since}: {why}"
        )
    else:
        _keep(owed.witness, owed.witness.state, why)
    return False


def _keep(witness: LogWitness, state: str, error: str, **values: object) -> None:
    LogWitness.objects.filter(pk=witness.pk).update(state=state, last_error=error[:500], **values)
