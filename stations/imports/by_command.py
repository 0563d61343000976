"""The run that an import by `manage.py import_sessions` leaves, so that it is seen and can be taken back."""

import hashlib
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from django.db.models import F

from common import clock
from stations.errors import ImportFileError
from stations.imports.file import Bringing, Tally
from stations.imports.plan import Options, Plan
from stations.imports.runs import made_with
from stations.models.imports import ImportMapping, ImportRun

State = ImportRun.State
HELD = timedelta(minutes=10)  # for one batch; the command that is silent for longer is gone
CHUNK = 1 << 20


class CommandRun:
    """Follows one import; nothing of a dry run is kept, nor of a file of which all was there."""

    def __init__(self, path: Path, options: Options, mapping: ImportMapping | None) -> None:
        self.path, self.options, self.mapping = path, options, mapping
        self.run: ImportRun | None = None
        self._found = False

    def begin(self, plan: Plan) -> int | None:
        """Before the first batch: a new run, or that of the same file which a killed command has left."""
        if self.options.dry_run:
            return None
        with self.path.open("rb") as file:
            sha256, size = _digest(file)
        ended = ImportRun.objects.filter(clock.free(HELD), state__in=[State.IMPORTING, State.FAILED])
        former = ended.filter(sha256=sha256, uploaded_by=None, confirmed_by=None, file__isnull=True).last()
        fields = {"state": State.IMPORTING, "reason": "", "claimed_until": clock.now() + HELD}
        if former and ended.filter(pk=former.pk).update(**fields):
            self.run, self._found = former, True
            self.run.refresh_from_db()
            return self.run.pk
        self.run = ImportRun.objects.create(
            file_name=self.path.name[:200],
            sha256=sha256,
            size=size,
            form=plan.format.title[:100],
            kind=plan.file.kind[:200],
            time_zone=self.options.time_zone,
            source=self.options.source,
            dates=self.options.dates,
            mapping=self.mapping,
            **fields,
        )
        return self.run.pk

    def stored(self, bringing: Bringing, tally: Tally) -> None:
        """In the transaction of a batch. Raises ImportFileError where the run was taken back meanwhile."""
        if self.run is None:
            return
        run = self.run
        made, flags = made_with(run.made, bringing.made), dict(Counter(run.flags) + tally.flags)
        counts = {
            name: F(name) + getattr(tally, name) for name in ("imported", "already_there", "skipped", "different")
        }
        here = ImportRun.objects.filter(pk=run.pk, state=State.IMPORTING)
        if not here.update(**counts, made=made, flags=flags, claimed_until=clock.now() + HELD):
            raise ImportFileError(f"import {run.pk} was ended by somebody else meanwhile; nothing more of it is stored")
        run.made, run.flags = made, flags

    def end(self, reason: str = "") -> None:
        """After the last batch, or whatever stopped it."""
        if self.run is None:
            return
        here = ImportRun.objects.filter(pk=self.run.pk, state=State.IMPORTING)
        if not self._found and here.filter(imported=0).exists():
            here.delete()
            return
        state = State.FAILED if reason else State.DONE
        here.update(
            state=state, reason=reason[:500], finished_at=clock.now(), claimed_until=None, position=self.run.size
        )


def abandoned_end() -> None:
    """Runs of commands that were killed: said so, and open to be taken back; the same command goes on with them."""
    gone = ImportRun.objects.filter(
        clock.free(HELD), state=State.IMPORTING, file__isnull=True, uploaded_by=None, claimed_until__isnull=False
    )
    gone.update(
        state=State.FAILED,
        reason="the command ended before the file did: run it again to go on",
        claimed_until=None,
        finished_at=clock.now(),
    )


def _digest(file: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while piece := file.read(CHUNK):
        digest.update(piece)
        size += len(piece)
    return digest.hexdigest(), size
