"""What our witnesses show of the log, compared with it: two faces of one log are found out where they meet.

A witness of ours answers `GET /status` with the newest checkpoint that it has signed and, where somebody showed it one
that contradicts, that one as well. Other witnesses have no such answer, and are not asked a second time.
Only what our own key signed counts: nobody else can make a fork of this log. What the witness says there of our TPM,
where it enrolled it, is kept for receipts.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings

from common import clock
from common.outgoing.addresses import AddressRefused, resolve
from common.outgoing.asking import Asker, NoAnswer, Patience
from ledger.alerts import alert_raise
from ledger.log.keys import log_vkey
from ledger.log.note import Checkpoint, Note, NoteError, VerifierKey, verify
from ledger.log.proofs import root_at
from ledger.log.witnesses.certificates import certificates_in
from ledger.log.witnesses.status import notes_of
from ledger.models import LogCheckpoint, LogWitness
from tpm.register import gate

PATIENCE = Patience(connect_s=3.0, read_s=5.0, whole_s=10.0)
STATUS_BYTES_MAX = 1024 * 1024
CLOCKS_DIFFER = timedelta(minutes=5)


def witness_compare(*, witness: LogWitness) -> list[str]:
    """What this witness shows of our log that is not ours, in sentences; each time as an alert as well."""
    status, vkey = _status(witness), log_vkey()
    if isinstance(status, dict):
        _certificates_keep(witness, status)
    if not vkey:
        return []
    key = VerifierKey.parse(vkey)
    found = [why for text in notes_of(status) if (why := contradiction(text, key))]
    if found:
        alert_raise("log_fork", witness.name, f"{witness.name} ({witness.url}) shows {found[0]}")
    return found


def contradiction(text: str, key: VerifierKey) -> str:
    """What of a note speaks against our log; "" where nothing does, or where our key has not signed it."""
    try:
        note = Note.parse(text.encode())
        if not verify(note, key):
            return ""
        shown = Checkpoint.parse(note.text)
    except (NoteError, UnicodeError):
        return ""
    ours = _root_of(shown.size)
    if ours == shown.root:
        return ""
    what = f"a checkpoint with our signature, {shown.size} leaves and the root {shown.root.hex()}"
    return f"{what}; ours is {ours.hex()}" if ours else f"{what}, which this database does not know"


def _certificates_keep(witness: LogWitness, status: dict[str, Any]) -> None:
    """Those that hold, and no others: one that the witness shows no more is withdrawn."""
    tpms, latest = gate.certifying_tpms() | gate.enrolled_tpms(), clock.now() + CLOCKS_DIFFER
    key = VerifierKey.parse(witness.vkey)
    found = certificates_in(status, key, tpms, latest=int(latest.timestamp()))
    if found != witness.ak_certificates:
        LogWitness.objects.filter(pk=witness.pk).update(ak_certificates=found)


def _root_of(size: int) -> bytes | None:
    exact = LogCheckpoint.objects.filter(size=size).first()
    if exact is not None:
        return bytes(exact.root)
    newest = LogCheckpoint.objects.order_by("-size").first()
    return root_at(size) if newest and 0 < size < newest.size else None


def _status(witness: LogWitness) -> Any:
    url = f"{witness.url}/status"
    try:
        target = resolve(url, local_allowed=settings.WEBHOOK_ALLOW_LOCAL)
        with Asker(strangers=True) as asker:
            answer = asker.ask("GET", url, target=target, patience=PATIENCE, most=STATUS_BYTES_MAX)
        return answer.json() if answer.is_success else None
    except (AddressRefused, NoAnswer, ValueError):
        return None  # whether it is there is asked elsewhere
