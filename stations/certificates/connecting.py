"""Who may connect: what the gateway asks of a station's connection, whoever ended its TLS.

A connection is judged by what the database says now, not by a revocation list: so a certificate that was revoked a
moment ago is refused by each gateway process, the operator sees whose it was, and a list that is late shuts nobody out.
"""

from cryptography import x509
from django.db import transaction
from django.utils import timezone

from stations.certificates import authority, pki
from stations.identifiers import letters
from stations.models import Station, StationAuthority, StationCertificate

State = StationCertificate.State


def certificate_refusal(station: Station, certificate: x509.Certificate | None) -> str | None:
    """Why this certificate does not let this station in, in a sentence; None where it does.

    1. there is one
    2. it is one that we issued, to this station
    3. it is neither revoked, nor superseded, nor rejected, and in its time
    4. its authority is believed, and signed it
    5. its CN is what the station is called
    """
    if certificate is None:
        return "expected a certificate of its own, got none"
    row = _row_of(certificate)
    if row is None or row.station_id != station.pk:
        return "expected a certificate that was issued here to this station, got another"
    if row.state not in StationCertificate.LIVING:
        return f"certificate {row.serial_number} is {row.state.lower()}"
    now = timezone.now()
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        return f"certificate {row.serial_number} was good until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    if not _believed(row.authority, certificate):
        return f"certificate {row.serial_number} is of an authority that is not believed any more"
    names = {letters(name) for name in (station.identity, station.serial_number) if name}
    if letters(row.common_name) not in names or row.common_name != pki.common_name(certificate):
        return f"expected a certificate for {station.identity}, got one for {row.common_name}"
    return None


def _row_of(certificate: x509.Certificate) -> StationCertificate | None:
    rows = StationCertificate.objects.select_related("authority")
    return rows.filter(fingerprint=pki.fingerprint(certificate)).first()


def _believed(row: StationAuthority, certificate: x509.Certificate) -> bool:
    is_trusted = StationAuthority.objects.trusted(timezone.now()).filter(pk=row.pk).exists()
    return is_trusted and pki.issued_by(certificate, authority.root_of(row))


@transaction.atomic
def certificate_used(station: Station, certificate: x509.Certificate) -> None:
    """The station connected with this certificate: it has it, and what it had before is superseded from now on."""
    rows = StationCertificate.objects.filter(station=station)
    row = rows.filter(fingerprint=pki.fingerprint(certificate)).first()
    if row is None or row.first_used_at is not None:
        return
    now = timezone.now()
    if not rows.filter(pk=row.pk, first_used_at=None).update(first_used_at=now, state=State.ACCEPTED):
        return
    older = rows.filter(state__in=StationCertificate.LIVING, issued_at__lt=row.issued_at).exclude(pk=row.pk)
    authorities = list(older.values_list("authority", flat=True).distinct())
    older.update(state=State.SUPERSEDED, revoked_at=now, reason=StationCertificate.Reason.SUPERSEDED)
    StationAuthority.objects.filter(pk__in=authorities).update(crl_due_at=now)
