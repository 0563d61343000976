"""Who may connect: what the gateway asks of a station's connection, whoever ended its TLS.

A connection is judged by what the database says now, not by a revocation list: so a certificate that was revoked a
moment ago is refused by each gateway process, the operator sees whose it was, and a list that is late shuts nobody out.
"""

from collections.abc import Collection

from cryptography import x509
from django.db import transaction
from django.utils import timezone

from stations.certificates import authority, pki
from stations.certificates.errors import CertificatesError
from stations.certificates.requests import names_of
from stations.identifiers import letters
from stations.models import Station, StationAuthority, StationCertificate
from stations.models.certificates import AuthorityQuerySet

State = StationCertificate.State


class CertificateNotTakenError(CertificatesError):
    """It does not let the station in; the message says why, in a sentence."""


def certificate_refusal(station: Station, certificate: x509.Certificate | None) -> str | None:
    """Why this certificate does not let this station in, in a sentence; None where it does."""
    try:
        certificate_judge(station, certificate)
    except CertificateNotTakenError as error:
        return str(error)
    return None


def certificate_judge(station: Station, certificate: x509.Certificate | None) -> StationCertificate:
    """The row of the certificate with which this station may connect; raises CertificateNotTakenError unless

    1. there is one
    2. it is one that we issued, to this station
    3. it is neither revoked, nor superseded, nor rejected, and in its time
    4. its authority is believed, and signed it
    5. its CN is what the station is called
    """
    if certificate is None:
        raise CertificateNotTakenError("expected a certificate of its own, got none")
    row = _row_of(certificate)
    if row is None or row.station_id != station.pk:
        raise CertificateNotTakenError("expected a certificate that was issued here to this station, got another")
    if row.state not in StationCertificate.LIVING:
        raise CertificateNotTakenError(f"certificate {row.serial_number} is {row.state.lower()}")
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not first <= timezone.now() < last:
        raise CertificateNotTakenError(f"certificate {row.serial_number} was good until {last:%Y-%m-%d %H:%M} UTC")
    if not _believed(row.authority, certificate):
        raise CertificateNotTakenError(f"certificate {row.serial_number} is of an authority that is not believed")
    names = {letters(name) for name in names_of(station)}
    if letters(row.common_name) not in names or row.common_name != pki.common_name(certificate):
        raise CertificateNotTakenError(f"expected a certificate for {station.identity}, got one for {row.common_name}")
    return row


def certificates_dead(ids: Collection[int]) -> set[int]:
    """Those of these certificates (primary keys) with which nobody may stay connected; one query."""
    now = timezone.now()
    living = StationCertificate.objects.living(now).filter(pk__in=ids, authority__in=_trusted())
    return set(ids) - set(living.values_list("pk", flat=True))


def _row_of(certificate: x509.Certificate) -> StationCertificate | None:
    rows = StationCertificate.objects.select_related("authority")
    return rows.filter(fingerprint=pki.fingerprint(certificate)).first()


def _believed(row: StationAuthority, certificate: x509.Certificate) -> bool:
    return _trusted().filter(pk=row.pk).exists() and pki.issued_by(certificate, authority.root_of(row))


def _trusted() -> AuthorityQuerySet:
    return StationAuthority.objects.trusted(timezone.now()).order_by()


@transaction.atomic
def certificate_used(row: StationCertificate) -> None:
    """Its station connected with it: it has it, and what it had before is superseded from now on."""
    if row.first_used_at is not None:
        return
    now = timezone.now()
    rows = StationCertificate.objects.filter(station=row.station_id)
    if not rows.filter(pk=row.pk, first_used_at=None).update(first_used_at=now, state=State.ACCEPTED):
        return
    older = rows.filter(state__in=StationCertificate.LIVING, issued_at__lt=row.issued_at).exclude(pk=row.pk)
    authorities = list(older.values_list("authority", flat=True).distinct())
    older.update(state=State.SUPERSEDED, revoked_at=now, reason=StationCertificate.Reason.SUPERSEDED)
    StationAuthority.objects.filter(pk__in=authorities).update(crl_due_at=now)
