"""The portal's side of `make demo`: database, logins, the real sessions, and waiting until all is irreversible.

Import it only after var/env is written and django.setup() has read it.
"""

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections
from django.db.models import Count, Q
from django.utils import timezone

from accounts.models import User
from dev.common.progress import bar
from dev.common.steps import StackError
from dev.stack.chain import demo_people
from dev.stack.enrolment import ensure_attested, pins_of
from dev.stack.layout import DEMO_DATA, LIVE_STATIONS, LOG, ROOT, TPM_RELEASE_KEY, TPM_STATE, VAR
from dev.stack.live import ensure_live_stations
from dev.stack.moved import moved_copy
from ledger.audit.audit import audit
from ledger.errors import ChainError
from ledger.models import Alert, ChainTransaction, LedgerEntry
from ledger.recording import hold
from stations.management.commands.import_sessions import EXIT_ROWS_LEFT_OUT
from stations.models import ChargingSession, IdToken
from tpm.service.release.release_key import public_path

DATA = ROOT / "data" / "workplace_charging_sessions.csv"
REPORT = VAR / "import-report.csv"
DATA_ZONE = "America/New_York"  # the data set names none; told here as an operator would tell it
DRIVER = "driver"
POLL_S = 0.5
STUCK_AFTER_S = 180.0


@dataclass(frozen=True)
class Progress:
    """How many ledger entries there are, how many are irreversible, and how many can never be."""

    total: int
    done: int
    failed: int


def prepare() -> None:
    """Bring database tables and static files up to date; raises StackError when the database cannot be reached."""
    try:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
    except OperationalError as error:
        raise StackError(f"The database refused: {error}\nIs EVPORTAL_DATABASE_URL right?") from error


def make_logins() -> None:
    """The people of the identity provider; the driver's account is made before the first login, for the sessions."""
    (driver,) = [person for person in demo_people() if person.username == DRIVER]
    account, _ = User.objects.get_or_create(username=DRIVER, defaults={"time_zone": "America/New_York"})
    if account.sub != driver.sub:  # new, or of a demo from before there was a provider
        account.sub = driver.sub
        account.set_unusable_password()
        account.save()


def attest_tpm_service() -> None:
    """Enrol the TPM service where it is new, and attest it; raises StackError, naming the step that failed."""
    pins = pins_of(TPM_STATE, public_path(TPM_RELEASE_KEY))
    ensure_attested(settings.TPM_SERVICE_URL, pins, keys=[settings.LEDGER_KEY])


def seal_master_key() -> None:
    """Have the TPM seal the ledger's master key, if it does not yet; raises StackError."""
    try:
        call_command("ledger_keys", "seal", stdout=io.StringIO())
    except CommandError as error:
        raise StackError(f"ledger_keys seal: {error}") from error


def demo_data() -> Path:
    """The copy of the real sessions that was moved to now, made at first; a demo of before keeps its own dates."""
    copies = sorted(DEMO_DATA.glob("*.csv"))
    if copies:
        return copies[0]
    if ChargingSession.objects.filter(source=ChargingSession.Source.IMPORT).exists():
        return DATA
    zone = ZoneInfo(DATA_ZONE)
    yesterday = (timezone.now().astimezone(zone) - timedelta(days=1)).date()
    return moved_copy(DATA, DEMO_DATA, yesterday=yesterday, zone=zone)


def import_sessions(path: Path) -> None:
    """Import the real sessions; rows that are there are only counted. Raises StackError when the file cannot be used.

    Rows left out are no reason to stop: a session that was changed in the database is not what the file says, and
    `differing` tells of it.
    """
    try:
        call_command("import_sessions", str(path), report=REPORT, time_zone=DATA_ZONE, dates="YMD")
    except CommandError as error:
        if error.returncode != EXIT_ROWS_LEFT_OUT:
            raise StackError(f"import_sessions: {error}") from error


def live_stations() -> None:
    """Four that report while the demo runs: the first charges the demo driver's car, the others somebody else's."""
    driver = User.objects.get(username=DRIVER)
    others = IdToken.objects.filter(customer=None, type=IdToken.Type.CENTRAL).order_by("pk")
    tokens = [*driver.id_tokens.order_by("pk")[:1], *others[:4]]  # a card for each outlet
    ensure_live_stations(LIVE_STATIONS, tokens)


def differing() -> list[str]:
    """What the audit finds to differ between database and chain, a line each; raises StackError without a chain."""
    try:
        findings = audit().findings
    except ChainError as error:
        raise StackError(f"ledger_audit: {error}") from error
    return [f"session {found.session or '?'}, entry {found.ledger_id}: {found.message}" for found in findings]


def give_driver_a_token() -> int:
    """Link the token with the most sessions to the demo driver, unless they have one; returns how many are theirs."""
    driver = User.objects.get(username=DRIVER)
    if not driver.id_tokens.exists():
        tokens = IdToken.objects.filter(customer__isnull=True).annotate(count=Count("sessions"))
        busiest = tokens.order_by("-count", "pk").first()
        if busiest is not None:
            call_command("link_token", busiest.uid, DRIVER, type=busiest.type, stdout=io.StringIO())
    return ChargingSession.objects.filter(customer=driver).count()


def progress() -> Progress:
    """How far it is. What waits because the chain is ahead of the database (that was deleted) waits for a person."""
    entries = LedgerEntry.objects.filter(erased_at__isnull=True)
    status = ChainTransaction.Status
    held = Q(transaction__status=status.BATCHED, transaction__error_code=hold.CODE)
    return Progress(
        total=entries.count(),
        done=entries.filter(transaction__status=status.IRREVERSIBLE).count(),
        failed=entries.filter(~Q(conflict="") | Q(transaction__status=status.CONFLICT) | held).count(),
    )


def wait_until_irreversible() -> Progress:
    """Show a progress bar until every entry is irreversible; raises StackError when nothing moves for three minutes."""
    now = progress()
    moved_at = time.monotonic()
    with bar(now.total, "  recorded", " sessions", done=now.done) as shown:
        for now in _samples():
            if now.done > shown.n:
                moved_at = time.monotonic()
            shown.total = now.total
            shown.update(now.done - shown.n)
            if now.done + now.failed >= now.total:
                return now
            if time.monotonic() - moved_at > STUCK_AFTER_S:
                break
    raise StackError(_stuck(now))


def _samples() -> Iterator[Progress]:
    while True:
        yield progress()
        connections.close_all()  # a database that was restarted meanwhile is asked over a new connection
        time.sleep(POLL_S)


def _stuck(now: Progress) -> str:
    alerts = [f"  {alert.code}: {alert.message}" for alert in Alert.objects.filter(closed_at__isnull=True)[:5]]
    lines = [
        f"{now.done:,} of {now.total:,} sessions are irreversible, and for {STUCK_AFTER_S:g} s none was added.",
        "Open alerts:" if alerts else f"No alert is open; look into {LOG / 'worker.log'}.",
        *alerts,
        "Nothing is lost: the worker goes on by itself once the cause is gone. make demo waits again.",
    ]
    return "\n".join(lines)
