"""What the verdicts over signed meter values, and their reasons, are called before people."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

VERDICTS: Mapping[str, str | Promise] = {
    "VERIFIED": _("Verified: the meter signed what was charged"),
    "FAILED": _("Failed: what the meter signed does not prove this charge"),
    "NOT CHECKED": _("Signed, but not checked here"),
    "NOT SIGNED": _("Not signed: this charge has no signed meter values"),
    "": pgettext_lazy("signed meter values", "Not signed"),
}

# In the order in which they are looked for. Codes are stored, and are part of records: none is ever renamed.
REASONS: Mapping[str, str | Promise] = {
    # nothing was checked
    "format_not_checked": _("the values are signed in a format that is not checked here"),
    "no_key": _("no public key is registered for this meter"),
    # a text by itself
    "key_unreadable": _("the registered public key cannot be read, or is on a curve that is not used for OCMF"),
    "formats_mixed": _("the values are signed in different formats"),
    "too_long": _("a signed text is longer than a meter writes"),
    "not_ocmf": _("a signed text is not of the form OCMF|…|…"),
    "json": _("a signed text is no strict JSON"),
    "duplicate_member": _("a signed text says one thing twice"),
    "trailing": _("something stands behind the signature of a signed text"),
    "number": _("a signed text has a number that no meter writes"),
    "fields": _("a signed text lacks a field, or a field is of the wrong kind"),
    "version": _("a signed text is of a version of OCMF that is not known"),
    "algorithm": _("the algorithm of a signature is not known"),
    "curve": _("the signature is on another curve than the registered key"),
    "signature_form": _("a signature is not written as OCMF writes it"),
    "signature": _("the signature does not fit: the text was changed, or another key signed it"),
    # the texts together
    "meters_differ": _("the values come from different meters"),
    "other_meter": _("the values come from another meter than the one that the key is registered for"),
    "pagination": _("the number of a signed text cannot be read, or does not belong to a transaction"),
    "pagination_repeated": _("two different signed texts have one number"),
    "pagination_gap": _("a signed text between begin and end is missing"),
    "identification_level": _("the meter says that the identification failed"),
    "identifications_differ": _("the values name different identifications"),
    "other_token": _("the values name another identification than the charge"),
    # the readings
    "time": _("a time cannot be read"),
    "value": _("a reading has no value, or none that is a number"),
    "unit": _("a reading has another unit than kWh or Wh"),
    "register": _("no reading is of a register that may be billed"),
    "no_begin": _("the reading at the begin is missing"),
    "no_end": _("the reading at the end is missing"),
    "several_begins": _("there is more than one begin"),
    "several_ends": _("there is more than one end"),
    "registers_differ": _("begin and end are of different registers"),
    "units_differ": _("begin and end have different units"),
    "order": _("the end stands before the begin"),
    "context": _("the station sent an end as a begin, or a begin as an end"),
    "backwards": _("the register went backwards"),
    "time_backwards": _("the end is earlier than the begin"),
    "time_state": _("the state of the meter's clock does not allow billing"),
    "meter_status": _("the meter says that it does not work correctly"),
    "error_flag": _("the meter says that its energy must not be billed"),
    "exception": _("an error during the charge made the readings unusable"),
    # the texts against the record: told by whoever compares them (the close of a charge, a receipt)
    "record_differs": _("the record says something else than the meter signed"),
}


def reason_text(code: str) -> str:
    """The words of a reason's code; a code of a later version is shown as it is."""
    return str(REASONS.get(code, code))
