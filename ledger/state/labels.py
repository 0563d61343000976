"""What the states of a record, and the fields of one, are called; ledger/state/words.py makes sentences of them."""

from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

Kind = Literal["recorded", "pending", "late", "mismatch", "none"]

# The words as exports have them.
LABELS_PLAIN: dict[Kind, str] = {
    "recorded": gettext_noop("Recorded"),
    "pending": gettext_noop("Being recorded"),
    "late": gettext_noop("Being recorded"),
    "mismatch": gettext_noop("Differs from its record"),
    "none": gettext_noop("Not recorded"),
}

_FIELDS: dict[str, Promise] = {
    "cost_minor": _("cost"),
    "energy_wh": _("energy"),
    "evse_id": _("outlet"),
    "connector_id": _("connector"),
    "id_token": _("card"),
    "meter_start_wh": _("meter at the start"),
    "meter_stop_wh": _("meter at the end"),
    "meter_values": _("meter values"),
    "meter_values_sha256": _("meter values"),
    "started_at": _("start"),
    "stopped_at": _("end"),
    "location": _("place"),
    "flags": _("remarks"),
    "stop_reason": _("why it ended"),
    "source": _("how it was reported"),
    "transaction_id": _("the station's number for it"),
    "credit_reference_id": _("the session it corrects"),
    "id": pgettext_lazy("charging", "session"),
    "status": _("status"),
    "currency": _("currency"),
    "tariff": _("tariff"),
    "station": _("station"),
    "signed_meter_values": _("what the meter signed"),
    "signed_verdict": _("signatures of the meter"),
    "signed_reason": _("why the signatures are worth that"),
    "meter_public_key": _("public key of the meter"),
    "cost_lines": _("lines of the cost"),
    "digest": _("the stored record itself"),
}


def field_name(field: str) -> str:
    """A field of the record in plain words: "energy_wh" -> "energy"."""
    return str(_FIELDS.get(field, field.replace("_", " ")))
