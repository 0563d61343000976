"""PURE: what a witness says of a TPM that it looked at itself (`evportal-ak-certificate/1`, docs/receipts.md)."""

import base64
import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ledger.log.note import NUMBER_MAX, NoteError, VerifierKey, base64_bytes

FORMAT = "evportal-ak-certificate/1"
HASHES = ("ak", "ek_certificate", "root")
MEMBERS = {"format", *HASHES, "time", "signature"}
SHOWN_MAX = 100  # of a witness's status
_HASH = re.compile("[0-9a-f]{64}")


def certificates_in(
    status: Any, key: VerifierKey, tpms: Collection[tuple[str, str]], *, latest: int
) -> list[dict[str, Any]]:
    """Those in a witness's status that hold: signed with its key, not after `latest` (seconds), of one of our TPMs.

    `tpms`: the fingerprints (SHA-256, hex) of AK and EK certificate of each. Of each TPM the newest, in their order.
    """
    shown = status.get("ak_certificates") if isinstance(status, Mapping) else None
    good = [one for one in (shown if isinstance(shown, list) else [])[:SHOWN_MAX] if _holds(one, key)]
    newest: dict[tuple[str, str], dict[str, Any]] = {}
    for one in sorted(good, key=lambda each: each["time"]):
        tpm = (one["ak"], one["ek_certificate"])
        if tpm in tpms and one["time"] <= latest:
            newest[tpm] = one
    return [newest[tpm] for tpm in sorted(newest)]


def certificate_for(
    certificates: Sequence[dict[str, Any]], certification: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """The one of these that is of the TPM which certified a key (its `evportal-key-certification/1`), or None."""
    if certification is None or certification["ek_certificate"] is None:
        return None
    parts = (base64.b64decode(certification[name]) for name in ("ak", "ek_certificate"))
    ak, ek_certificate = (hashlib.sha256(part).hexdigest() for part in parts)
    return next((one for one in certificates if (one["ak"], one["ek_certificate"]) == (ak, ek_certificate)), None)


def looked_at(certificates: Sequence[dict[str, Any]], tpms: Collection[tuple[str, str]]) -> datetime | None:
    """When its witness last looked at one of these TPMs itself; None where it did not."""
    times = [one["time"] for one in certificates if (one["ak"], one["ek_certificate"]) in tpms]
    return datetime.fromtimestamp(max(times), UTC) if times else None


def _holds(one: Any, key: VerifierKey) -> bool:
    """Whether it has the form, and this witness signed it."""
    if not isinstance(one, Mapping) or set(one) != MEMBERS or one["format"] != FORMAT:
        return False
    if any(not isinstance(one[name], str) or not _HASH.fullmatch(one[name]) for name in HASHES):
        return False
    if type(one["time"]) is not int or not 0 < one["time"] <= NUMBER_MAX or not isinstance(one["signature"], str):
        return False
    lines = (FORMAT, key.name, *(one[name] for name in HASHES), one["time"])
    try:
        signature = base64_bytes(one["signature"], "signature")
    except NoteError:
        return False
    return len(signature) == 64 and key.signed("".join(f"{line}\n" for line in lines).encode(), signature)
