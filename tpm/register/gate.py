"""The gate that the ledger passes before it uses the TPM: what the register's rows say of a service, and no more.

It asks nobody and judges nothing. Evidence is judged where services are attested (register.py, enrolment.py), whose
outcome stands in the rows; so whoever only has to ask needs neither the verifier nor a network.
"""

import hashlib
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef

from common import clock
from tpm.client import TpmUnavailable
from tpm.models import KeyCertification, TpmService

NOT_TRUSTED = ("not_attested", "not_certified")  # codes of TpmUnavailable


def require_attested(url: str) -> None:
    """Raise TpmUnavailable (`not_attested`) unless the service at this address is attested and its evidence fresh."""
    if settings.TPM_ATTESTATION == "off":
        return
    trusted(TpmService.objects.filter(url=url.rstrip("/")).first(), url)


def trusted(service: TpmService | None, url: str) -> TpmService:
    """Return the service of this row; raises TpmUnavailable (`not_attested`, and why) unless its keys may be used."""
    if service is None:
        raise TpmUnavailable("not_attested", f"no TPM service is registered at {url}: run manage.py tpm_enrol")
    if why := service.distrust():
        raise TpmUnavailable("not_attested", f"TPM service {service.name}: {why}")
    return service


def trusted_with_key(url: str, public_key_eosio: str) -> tuple[TpmService, bool]:
    """Return the service at this address, and whether its AK of now certified this key (PUB_R1_…); one query.

    Raises TpmUnavailable (`not_attested`) as `trusted` does.
    """
    certifications = KeyCertification.objects.filter(
        service=OuterRef("pk"), ak_public=OuterRef("ak_public"), public_key_eosio=public_key_eosio
    )
    found = TpmService.objects.filter(url=url.rstrip("/")).annotate(is_certified=Exists(certifications)).first()
    return trusted(found, url), found is not None and found.is_certified


def certification_of(public_key_eosio: str) -> KeyCertification | None:
    """Return the newest certification of this key (PUB_R1_…), for its receipts."""
    return KeyCertification.objects.filter(public_key_eosio=public_key_eosio).order_by("-at").first()


def enrolled_tpms() -> set[tuple[str, str]]:
    """The fingerprints (SHA-256, hex) of AK and EK certificate of each TPM that is enrolled now."""
    return _fingerprints(TpmService.objects.values_list("ak_public", "ek_certificate"))


def certifying_tpms() -> set[tuple[str, str]]:
    """The same of each TPM whose AK ever certified a key of ours: receipts name those that were replaced, too."""
    rows = KeyCertification.objects.order_by().values_list("ak_public", "ek_certificate")
    return _fingerprints(rows.distinct())


def _fingerprints(rows: Iterable[tuple[Any, Any]]) -> set[tuple[str, str]]:
    whole = [(bytes(ak), bytes(ek)) for ak, ek in rows if ak is not None and ek is not None]
    return {(hashlib.sha256(ak).hexdigest(), hashlib.sha256(ek).hexdigest()) for ak, ek in whole}


def certified_key(name: str) -> str:
    """Return the key of this name that was certified last (PUB_R1_…); "" where none was."""
    named = KeyCertification.objects.filter(key_name=name).order_by("-at")
    return named.values_list("public_key_eosio", flat=True).first() or ""


def attest_soon(url: str) -> None:
    """Something is wrong with this service: attest it at the next turn rather than in minutes."""
    TpmService.objects.filter(url=url.rstrip("/"), due_at__gt=clock.now()).update(due_at=clock.now())
