"""What the ledger holds of a person, for the archive (records, receipts), and how it forgets him."""

from collections.abc import Iterator

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.archive import Chunks, Section, section_add
from accounts.erasure import ErasureWaits, Step, step_add
from accounts.models import Erasure, User
from ledger import receipt
from ledger.checks import receipt_for
from ledger.erasure import customer_erase
from ledger.errors import NotRecordedYet, RecordError
from ledger.export import csv_lines
from ledger.models import ChainTransaction
from ledger.receipt import ReceiptError
from ledger.standalone import SCRIPT
from stations.errors import ChargeRunningError
from stations.models import ChargingSession, ChargingSessionQuerySet

RELATED = ("station", "connector", "id_token", "ledger_entry__transaction")


def recorded(user: User) -> ChargingSessionQuerySet:
    """His sessions of which there is a receipt."""
    final = ChainTransaction.Status.IRREVERSIBLE
    found = ChargingSession.objects.filter(customer=user, ledger_entry__transaction__status=final)
    return found.filter(ledger_entry__erased_at__isnull=True)


def files(user: User) -> Iterator[tuple[str, Chunks]]:
    sessions = ChargingSession.objects.filter(customer=user).select_related(*RELATED)
    without_bytes = sessions.defer("ledger_entry__transaction__packed").order_by("started_at", "pk")
    yield "charges.csv", csv_lines(without_bytes)
    yield "verify_receipt.py", [SCRIPT.read_bytes()]
    for session in recorded(user).select_related(*RELATED[:3]).order_by("started_at", "pk").iterator(chunk_size=500):
        try:
            text = receipt.dumps(receipt_for(session))
        except (NotRecordedYet, RecordError, ReceiptError) as error:
            yield f"receipts/{session.pk}.missing.txt", [f"No receipt can be made of this charge: {error}\n"]
        else:
            yield f"receipts/{session.pk}.json", [text]


def holds(user: User) -> str:
    count = recorded(user).count()
    return ngettext("%(count)d receipt", "%(count)d receipts", count) % {"count": count}


def forget(erasure: Erasure) -> None:
    """His keys are destroyed; the master key follows, at once or by the ledger's sweep (alert `master_key_due`)."""
    try:
        customer_erase(customer=erasure.customer, although_charging=erasure.although_charging)
    except ChargeRunningError as error:
        raise ErasureWaits(f"a charge is running: {error}") from error


def add_all() -> None:
    about = _(
        "charges.csv: the same charges as a table, with the state of their records. receipts/: the receipt of each "
        "charge that is recorded. verify_receipt.py: checks a receipt without us."
    )
    section_add(Section("receipts", about, holds, files, lambda user: 2 + recorded(user).count()))
    step_add(Step("ledger", 20, forget))
