"""What the ledger holds of a person, for the archive: their charges as a table, and their receipts."""

from collections.abc import Iterator

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.privacy.archive import Chunks, Section, section_add
from ledger.errors import NotRecordedYet, RecordError
from ledger.models import ChainTransaction
from ledger.receipts import receipt
from ledger.receipts.checks import receipt_for
from ledger.receipts.receipt import ReceiptError
from ledger.standalone import BESIDE, SCRIPT
from portal.session.csv import csv_lines
from stations.metering import containers
from stations.metering.judging import SignedValue
from stations.models import ChargingSession, ChargingSessionQuerySet

SCRIPTS = (SCRIPT, *BESIDE)
RELATED = ("station", "connector", "id_token", "ledger_entry__transaction")


def recorded(user: User) -> ChargingSessionQuerySet:
    """Their sessions of which there is a receipt."""
    final = ChainTransaction.Status.IRREVERSIBLE
    found = ChargingSession.objects.filter(customer=user, ledger_entry__transaction__status=final)
    return found.filter(ledger_entry__erased_at__isnull=True)


def signed(user: User) -> ChargingSessionQuerySet:
    """Their sessions of which a meter signed something."""
    return ChargingSession.objects.filter(customer=user).exclude(signed_meter_values=[]).order_by("started_at", "pk")


def files(user: User) -> Iterator[tuple[str, Chunks]]:
    """(name, content) one after the other, as they are packed; a receipt that cannot be made says why in its place."""
    sessions = ChargingSession.objects.filter(customer=user).select_related(*RELATED)
    without_bytes = sessions.defer("ledger_entry__transaction__packed").order_by("started_at", "pk")
    yield "charges.csv", csv_lines(without_bytes)
    for path in SCRIPTS:
        yield path.name, [path.read_bytes()]
    for session in signed(user).iterator(chunk_size=500):
        values = [SignedValue.of(value) for value in session.signed_meter_values]
        container = containers.written(values, session.meter_public_key, session.transaction_id)
        yield f"meter-values/{session.pk}.xml", [container]
    for session in recorded(user).select_related(*RELATED[:3]).order_by("started_at", "pk").iterator(chunk_size=500):
        try:
            text = receipt.dumps(receipt_for(session))
        except (NotRecordedYet, RecordError, ReceiptError) as error:
            yield f"receipts/{session.pk}.missing.txt", [f"No receipt can be made of this charge: {error}\n"]
        else:
            yield f"receipts/{session.pk}.json", [text]


def how_many(user: User) -> int:
    """Of the files."""
    return 1 + len(SCRIPTS) + recorded(user).count() + signed(user).count()


def holds(user: User) -> str:
    """What the page "My data" says of it, before anybody downloads anything."""
    count = recorded(user).count()
    if not count:
        return gettext("no receipts")
    return ngettext("%(count)d receipt", "%(count)d receipts", count) % {"count": count}


def add_section() -> None:
    """Called once, when the app is ready; the archive itself knows nothing of ledgers."""
    about = _(
        "charges.csv: the same charges as a table, with the state of their records. receipts/: the receipt of each "
        "charge that is recorded. verify_receipt.py, with verify_meter.py and verify_statement.py beside it: checks a "
        "receipt without us. meter-values/: what meters signed, as S.A.F.E.'s transparency software reads it."
    )
    section_add(Section("receipts", about, holds, files, how_many))
