"""What is served of a published checkpoint: its note with the log's own line and those of its witnesses."""

from ledger.models import LogCheckpoint, LogCosignature, LogWitness


def published_note(checkpoint: LogCheckpoint) -> bytes:
    """The signed note: the log's line, then what enabled witnesses signed by now, by their names."""
    signed = LogCosignature.objects.filter(checkpoint=checkpoint, witness__enabled=True)
    lines = signed.order_by("witness__name").values_list("line", flat=True)
    return (checkpoint.note + "".join(f"{line}\n" for line in lines)).encode()


def witness_keys() -> tuple[tuple[str, str], ...]:
    """Name and key (vkey) of each witness that is asked, for whoever pins them."""
    return tuple(LogWitness.objects.filter(enabled=True).order_by("name").values_list("name", "vkey"))
