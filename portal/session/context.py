"""Last step of a session's page: what was found and worked out, as its template takes it. Asks nothing more."""

from typing import Any

from django.conf import settings
from django.utils.translation import gettext

from ledger.models import ChainTransaction, LedgerEntry
from ledger.receipts.pins import Pins
from ledger.receipts.words import TITLES
from portal.proof.signed import signed_of
from portal.session.figures import Figures
from portal.session.query import Found
from stations.charging.words import period, zone

METER_VALUES_SHOWN = 500


def context_of(found: Found, figures: Figures) -> dict[str, Any]:
    """For templates/portal/session/session.html."""
    return {
        "session": found.shown,
        "period": period(found.shown),
        "zone": zone(found.shown),
        "state": found.state,
        "entry": found.entry,
        "changed": found.changed,
        "corrected": found.corrected,
        "unsure": found.unsure,
        "usual": found.usual,
        "no_receipt": found.no_receipt,
        "exact": _exact_terms(found.entry, found.pins),
        "pins": found.pins,
        "steps": len(TITLES),
        "signed": signed_of(found.shown),
        "meter_values": found.meter_values[:METER_VALUES_SHOWN],
        "more_meter_values": len(found.meter_values) > METER_VALUES_SHOWN,
        **figures,
    }


def _exact_terms(entry: LedgerEntry | None, pins: Pins | None) -> list[tuple[str, str]]:
    """The second level: each id in full, under its exact name."""
    terms = [*_of_entry(entry), *_of_transaction(entry.transaction), *_of_pins(pins)] if entry else []
    return [(name, value) for name, value in terms if value]


def _of_entry(entry: LedgerEntry) -> list[tuple[str, str]]:
    return [
        (gettext("Ledger id"), str(entry.pk)),
        (gettext("State"), entry.state),
        (gettext("Digest: SHA-256 of salt and record"), bytes(entry.digest).hex()),
        (gettext("Chain id"), settings.LEDGER_CHAIN_ID),
        (gettext("Contract account"), settings.LEDGER_ACCOUNT),
    ]


def _of_transaction(row: ChainTransaction | None) -> list[tuple[str, str]]:
    if row is None:
        return []
    return [
        (gettext("Transaction id"), row.transaction_id or ""),
        (gettext("Block number"), str(row.block_num or "")),
        (gettext("Block id"), row.block_id),
        (gettext("Signature"), row.signature),
        (gettext("Signer's public key"), row.public_key),
    ]


def _of_pins(pins: Pins | None) -> list[tuple[str, str]]:
    if pins is None:
        return []
    return [
        (gettext("Made in the TPM of AK"), pins.ak or ""),
        (gettext("Contract's code, SHA-256"), pins.code_hash or ""),
        (gettext("Contract last changed"), pins.code_updated or ""),
    ]
