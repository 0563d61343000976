"""The gate that the ledger passes before it uses the TPM: what the register's rows say of a service, and no more.

It asks nobody and judges nothing. Evidence is judged where services are attested (register.py, enrolment.py), whose
outcome stands in the rows; so whoever only has to ask needs neither the verifier nor a network.
"""

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


def attest_soon(url: str) -> None:
    """Something is wrong with this service: attest it at the next turn rather than in minutes."""
    TpmService.objects.filter(url=url.rstrip("/"), due_at__gt=clock.now()).update(due_at=clock.now())
