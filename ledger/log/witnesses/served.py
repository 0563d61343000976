"""What is served of a published checkpoint: its note with the log's own line and those of its witnesses."""

from django.db.models import QuerySet

from ledger.models import LogCheckpoint, LogCosignature, LogWitness


def published() -> QuerySet[LogCheckpoint]:
    """Those that the chain holds for good; without what was brought back from there and is not signed again yet."""
    return LogCheckpoint.objects.filter(published_at__isnull=False).exclude(note="")


def newest_published() -> LogCheckpoint | None:
    """The largest of them; nothing larger is shown to anybody."""
    return published().order_by("-size").first()


def published_note(checkpoint: LogCheckpoint) -> bytes:
    """The signed note: the log's line, then what enabled witnesses signed by now, by their names."""
    signed = LogCosignature.objects.filter(checkpoint=checkpoint, witness__enabled=True)
    lines = signed.order_by("witness__name").values_list("line", flat=True)
    return (checkpoint.note + "".join(f"{line}\n" for line in lines)).encode()


def witness_keys() -> tuple[tuple[str, str], ...]:
    """Name and key (vkey) of each witness that is asked, for whoever pins them."""
    return tuple(LogWitness.objects.filter(enabled=True).order_by("name").values_list("name", "vkey"))
