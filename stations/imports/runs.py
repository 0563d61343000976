"""An import through the admin, one step each: upload, check, confirm, import; see stations/models/imports.py."""

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import translation
from django.utils.translation import gettext

from accounts.models import User
from common import clock
from common.announce import announce
from stations.charging.words import number
from stations.errors import ImportFileError, ImportRowError, ImportStateError, RecordingUnavailableError
from stations.imports.file import Bringing, Finding, Tally, batch_import, batches
from stations.imports.formats.mapped import format_of_mapping
from stations.imports.places import session_id
from stations.imports.plan import Options, Plan, planned, recognised, zone_asked
from stations.imports.reading.row import Record
from stations.models.imports import ImportFile, ImportFinding, ImportMapping, ImportRun

State = ImportRun.State
SIZE_MAX = 20 * 1024 * 1024
BATCH = 500
CLAIM = timedelta(seconds=60)
ATTEMPTS_MAX = 5
COUNTS = ("imported", "already_there", "skipped", "different")
BEGINNING: dict[str, object] = {
    "position": 0,
    "made": {},
    "line": 1,
    "flags": {},
    "attempts": 0,
    "reason": "",
    "claimed_until": None,
}
BEGINNING |= dict.fromkeys(COUNTS, 0)


@dataclass(frozen=True)
class Told:
    """What the reader says of a file: its zone, whose numbers it has, the form of its dates, a mapping."""

    time_zone: str = ""
    source: str = ""
    dates: str = ""
    mapping: ImportMapping | None = None


def import_upload(*, name: str, content: bytes, by: User, told: Told) -> ImportRun:
    """Take a file in and announce its check. Raises ImportFileError where nothing of it can be read at all."""
    if not content:
        raise ImportFileError(gettext("expected a header line, the file is empty"))
    if len(content) > SIZE_MAX:
        words = gettext(
            "expected at most %(most)s bytes, got %(got)s: split it, or import it by `manage.py import_sessions`"
        )
        raise ImportFileError(words % {"most": number(SIZE_MAX), "got": number(len(content))})
    file, form = recognised(io.BytesIO(content), format_of_mapping(told.mapping))
    zone_asked(form, told.time_zone)
    with transaction.atomic():
        run = ImportRun.objects.create(
            file_name=name[:200],
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            form=form.title[:100],
            kind=file.kind[:200],
            time_zone=told.time_zone,
            source=told.source,
            dates=told.dates,
            mapping=told.mapping,
            uploaded_by=by,
        )
        ImportFile.objects.create(run=run, content=content)
        _announce(run)
    return run


@transaction.atomic
def import_confirm(*, run: ImportRun, by: User) -> None:
    """Import what was checked. Raises ImportStateError where somebody was faster, or it is not checked yet."""
    now = clock.now()
    fields = {**BEGINNING, "state": State.IMPORTING, "confirmed_by": by, "confirmed_at": now}
    if not ImportRun.objects.filter(pk=run.pk, state=State.CHECKED).update(**fields):
        words = gettext("import %(number)d is %(state)s, so it cannot be imported now")
        raise ImportStateError(_not_now(run, words))
    run.findings.all().delete()  # the dry run's; the import finds its own
    _announce(run)


@transaction.atomic
def import_cancel(*, run: ImportRun) -> None:
    """Forget the file before anything of it was stored. Raises ImportStateError once it is being imported."""
    fields = {"state": State.CANCELLED, "finished_at": clock.now()}
    if not ImportRun.objects.filter(pk=run.pk, state__in=[State.CHECKING, State.CHECKED]).update(**fields):
        words = gettext("import %(number)d is %(state)s, so it cannot be cancelled now")
        raise ImportStateError(_not_now(run, words))
    ImportFile.objects.filter(run=run).delete()


def _not_now(run: ImportRun, words: str) -> str:
    run.refresh_from_db()
    return words % {"number": run.pk, "state": run.get_state_display()}


def _announce(run: ImportRun) -> None:
    transaction.on_commit(lambda: import_announce(run.pk), robust=True)


def import_announce(run_id: int) -> None:
    announce("stations.tasks.import_continue", run_id)


# --- what the worker does


def imports_due() -> list[ImportRun]:
    """Runs that move and that no worker has at the moment."""
    moving = ImportRun.objects.filter(_free(), state__in=ImportRun.MOVING, file__isnull=False)
    return list(moving.order_by("id"))


def _free() -> Q:
    return clock.free(CLAIM)


def import_advance(*, run_id: int, go_on: Callable[[], bool]) -> bool:
    """Check or import batch by batch while `go_on()`; True where something is left for another turn.

    False too where another worker has it, or nothing moves. What cannot be recorded now (RecordingUnavailableError)
    waits, with the reason on the run.
    """
    run = _claimed(run_id)
    if run is None:
        return False
    try:
        with translation.override("en"):  # what it finds is stored, and read by all
            unfinished = _advance(run, go_on)
    except ImportFileError as error:
        _finish(run, State.FAILED, str(error))
        return False
    except RecordingUnavailableError as error:
        ImportRun.objects.filter(pk=run.pk).update(reason=f"waits: {error}"[:500], attempts=0)
        return False  # the claim runs out, and the sweep tries again
    ImportRun.objects.filter(pk=run.pk).update(claimed_until=None)
    return unfinished


def _claimed(run_id: int) -> ImportRun | None:
    """The run, ours for a minute; None where it does not move or another worker has it.

    A file at which workers die again and again is given up.
    """
    moving = ImportRun.objects.filter(_free(), pk=run_id, state__in=ImportRun.MOVING, file__isnull=False)
    run = moving.select_related("mapping").first()
    if run is None:
        return None
    claim = {"claimed_until": clock.now() + CLAIM, "attempts": run.attempts + 1}
    if not ImportRun.objects.filter(_free(), pk=run_id, state=run.state).update(**claim):
        return None
    if run.attempts >= ATTEMPTS_MAX:
        reason = f"given up: {run.attempts} times the worker ended while it read what follows line {run.line - 1}"
        _finish(run, State.FAILED, reason)
        return None
    return run


def _advance(run: ImportRun, go_on: Callable[[], bool]) -> bool:
    file = io.BytesIO(bytes(run.file.content))
    options = options_of(run)
    plan = planned(file, options)
    bringing = Bringing(plan, options, run.pk)
    for batch in batches(_from_here(plan, run, bringing), BATCH):
        findings: list[Finding] = []
        with transaction.atomic():
            # First of all the run's row, locked: a cancelled run, or one that another worker took over, is left alone.
            if not _still_ours(run):
                return False
            tally = batch_import(batch, bringing=bringing, report=findings.append)
            _checkpoint(run, tally, findings, bringing, position=file.tell(), line=batch[-1].line + 1)
        if not go_on():
            return True
    _finish(run, State.CHECKED if options.dry_run else State.DONE)
    return False


def options_of(run: ImportRun) -> Options:
    """What a run was told."""
    return Options(
        time_zone=run.time_zone,
        batch=BATCH,
        dry_run=run.state == State.CHECKING,
        source=run.source,
        dates=run.dates,
        mapping=format_of_mapping(run.mapping),
    )


def _from_here(plan: Plan, run: ImportRun, bringing: Bringing) -> Iterator[Record]:
    """The records that no turn has had yet; what those before brought is remembered, to name repetitions."""
    for record in plan.records():
        if record.line >= run.line:
            yield record
        elif record.error is None:
            try:
                row = plan.read(record.line, record.values)
            except ImportRowError:
                continue
            bringing.seen.add(session_id(row, plan), row, dry_run=bringing.options.dry_run)


def _still_ours(run: ImportRun) -> bool:
    here = ImportRun.objects.filter(pk=run.pk, state=run.state, line=run.line)
    return bool(here.update(claimed_until=clock.now() + CLAIM))


def _checkpoint(
    run: ImportRun, tally: Tally, findings: list[Finding], bringing: Bringing, *, position: int, line: int
) -> None:
    """Count a batch, in the transaction that stores it."""
    run.position, run.line = min(position, run.size), line
    run.made = made_with(run.made, bringing.made)
    for name in COUNTS:
        setattr(run, name, getattr(run, name) + getattr(tally, name))
    run.flags = dict(Counter(run.flags) + tally.flags)
    run.attempts, run.reason = 0, ""
    run.save(update_fields=["position", "line", "made", "flags", "attempts", "reason", *COUNTS])
    ImportFinding.objects.bulk_create(
        ImportFinding(
            run=run,
            line=found.line,
            session_id=found.session_id,
            outcome=found.outcome,
            field=found.field[:200],
            expected=found.expected[:500],
            got=found.got[:500],
        )
        for found in findings
    )


def made_with(made: dict[str, list[str]], more: dict[str, list[str]]) -> dict[str, list[str]]:
    """What a run made, with what its last batch did."""
    return {table: [*made.get(table, []), *more.get(table, [])] for table in {*made, *more}}


@transaction.atomic
def _finish(run: ImportRun, state: str, reason: str = "") -> None:
    """End the check or the import; the file is kept only while it may still be imported."""
    over = state != State.CHECKED
    fields: dict[str, object] = {"state": state, "reason": reason[:500], "claimed_until": None, "attempts": 0}
    fields |= {"finished_at": clock.now()} if over else {}
    if ImportRun.objects.filter(pk=run.pk, state=run.state).update(**fields) and over:
        ImportFile.objects.filter(run=run).delete()
