"""The portal learns to know the TPM service of a development stack, as an operator does it with `manage.py tpm_enrol`.

Import it only after django.setup().
"""

from collections.abc import Sequence
from pathlib import Path

from dev.common.steps import StackError
from dev.parts.swtpm import EK_ISSUER_FILE, EK_ROOT_FILE
from tpm.client import TpmError
from tpm.models import AttestationReport, TpmService
from tpm.register.enrolment import Pins, enrol
from tpm.register.register import RegisterError, attest, certify

NAME = "main"


def pins_of(swtpm_state: Path, release_public_key: Path | None) -> Pins:
    """What is known of a stack's TPM and release; without a release key its service is not measured."""
    roots = "".join((swtpm_state / name).read_text() for name in (EK_ROOT_FILE, EK_ISSUER_FILE))
    return Pins(ek_roots_pem=roots, release_key_pem=release_public_key.read_text() if release_public_key else "")


def ensure_attested(url: str, pins: Pins, *, keys: Sequence[str]) -> TpmService:
    """Enrol the service unless it is, attest it, and have these keys certified; raises StackError.

    A TPM or a release key that was made anew, as after deleting its directory, is enrolled anew.
    """
    known = TpmService.objects.filter(url=url, ak_public__isnull=False).first()
    try:
        if known is not None and _pinned(known, pins):
            report = attest(known)
        else:
            report = enrol(name=NAME, url=url, pins=pins, replace=known is not None)
        service = TpmService.objects.get(url=url)
        if report is None or report.outcome != AttestationReport.Outcome.ACCEPTED:
            raise StackError(f"the TPM service is not attested: {service.reason or 'another process is at it'}")
        for key in keys:
            certify(service, key)
    except (RegisterError, TpmError) as error:
        raise StackError(f"the TPM service is not attested: {error}") from error
    return service


def _pinned(service: TpmService, pins: Pins) -> bool:
    return all(getattr(service, name) == value for name, value in pins.fields().items())
