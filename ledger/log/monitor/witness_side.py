"""The witnesses' side: what each has signed below the log's checkpoint, and what it shows by itself."""

from collections.abc import Sequence

from common.outgoing.asking import Asker, NoAnswer, Patience
from ledger.log.monitor.findings import Finding
from ledger.log.monitor.following import Shown
from ledger.log.monitor.state import Claim, State
from ledger.log.note import Checkpoint, Note, NoteError, VerifierKey, cosigned_at, verify
from ledger.log.witnesses.status import notes_of

PATIENCE = Patience(connect_s=5.0, read_s=10.0, whole_s=20.0)
STATUS_BYTES_MAX = 1024 * 1024


def notes_shown(urls: Sequence[str], asker: Asker) -> tuple[list[tuple[str, str]], list[Finding]]:
    """Address and text of each checkpoint that the witnesses at these addresses show."""
    found: list[tuple[str, str]] = []
    findings = []
    for url in urls:
        try:
            answer = asker.ask("GET", f"{url.rstrip('/')}/status", patience=PATIENCE, most=STATUS_BYTES_MAX)
            if not answer.is_success:
                raise NoAnswer(f"HTTP {answer.status}", "answer")
            found += [(url, text) for text in notes_of(answer.json())]
        except (NoAnswer, ValueError) as error:
            findings.append(Finding("witness_away", url, str(error)))
    return found, findings


def claims_of(shown: Sequence[tuple[str, str]], key: VerifierKey) -> list[Claim]:
    """What the log's own key has signed among what they show; nobody else can speak for the log."""
    claims = []
    for url, text in shown:
        try:
            note = Note.parse(text.encode())
            checkpoint = Checkpoint.parse(note.text)
        except (NoteError, UnicodeError):
            continue
        if checkpoint.origin == key.name and verify(note, key):
            claims.append(Claim(f"witness {url}", checkpoint.size, checkpoint.root.hex(), text))
    return claims


def signatures_note(state: State, text: str, witnesses: Sequence[VerifierKey]) -> None:
    """Remember what each pinned witness has signed, of a checkpoint of the log."""
    note = Note.parse(text.encode())
    size = Checkpoint.parse(note.text).size
    for key in witnesses:
        at = cosigned_at(note, key)
        if at is not None and [size, at] > state.witnesses.get(key.name, [0, 0]):
            state.witnesses[key.name] = [size, at]


def stopped(state: State, shown: Shown, witnesses: Sequence[VerifierKey]) -> list[Finding]:
    """Pinned witnesses that have not signed the newest checkpoint; patient, as each needs its moment."""
    found = []
    for key in witnesses:
        size, at = state.witnesses.get(key.name, [0, 0])
        if size < shown.checkpoint.size:
            last = f"signed {size} entries last" if size else "has signed nothing that was seen here"
            text = f"{last}, the log has {shown.checkpoint.size}"
            found.append(Finding("witness_stopped", key.name, text, patient=True, mark=str(at)))
    return found
