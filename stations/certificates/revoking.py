"""An operator takes a certificate back: refused from the next handshake on, and a connection that has it is closed."""

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from common.announce import announce
from stations.certificates.errors import CertificatesError
from stations.commands.hurrying import hurry
from stations.models import StationAuthority, StationCertificate

State = StationCertificate.State
CRLS = "stations.tasks.certificates_revocation_lists"


class AlreadyRevokedError(CertificatesError):
    """It was revoked before."""


@transaction.atomic
def certificate_revoke(*, certificate: StationCertificate, reason: str, by: User | None) -> None:
    """Revoke it; the list is made anew by a worker (the web process reaches no TPM). Raises AlreadyRevokedError."""
    now = timezone.now()
    row = StationCertificate.objects.filter(pk=certificate.pk, revoked_at=None)
    if not row.update(state=State.REVOKED, revoked_at=now, reason=reason, revoked_by=by):
        raise AlreadyRevokedError(f"certificate {certificate.serial_number} was revoked before")
    StationAuthority.objects.filter(pk=certificate.authority_id).update(crl_due_at=now)
    transaction.on_commit(lambda: announce(CRLS))
    if certificate.station_id is not None:
        station_id = certificate.station_id
        transaction.on_commit(lambda: hurry(station_id, judge=True))
