"""The TPM service as the portal knows it, an authority whose key is in it, and stations that ask for certificates."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django.fixtures import Settings

from dev.parts.tpm_service import TpmStack
from stations.certificates import authority, requests
from stations.models import CertificateRequest, Connector, Site, Station, StationAuthority, StationCertificate
from tests.enrolment import enrolled, use
from tests.stations.certificates.asking import csr_pem, key_make


@pytest.fixture
def tpm(tpm_stack: TpmStack, settings: Settings, db: None) -> TpmStack:
    """Enrolled and attested; nothing of a chain."""
    settings.OCPP_ORGANIZATION = "Harbour Charging"
    settings.PUBLIC_URL = "https://portal.example"
    use(tpm_stack, settings)
    enrolled(tpm_stack)
    return tpm_stack


@pytest.fixture
def root(tpm: TpmStack) -> StationAuthority:
    """The authority that signs."""
    return authority.authority_create()


@pytest.fixture
def station(site: Site) -> Station:
    station = Station.objects.create(site=site, identity="CP-HARBOUR-7", security_profile=3)
    Connector.objects.create(station=station)
    return station


@pytest.fixture
def issue(root: StationAuthority) -> Callable[..., tuple[StationCertificate, ec.EllipticCurvePrivateKey]]:
    """Have a certificate signed for a station, as its SignCertificate does; returns its row and the station's key."""

    def make(station: Station) -> tuple[StationCertificate, ec.EllipticCurvePrivateKey]:
        key = key_make()
        assert requests.certificate_requested(station, csr_pem(key, station.identity))
        waiting = CertificateRequest.objects.get(station=station, state=CertificateRequest.State.WAITING)
        row = requests.request_sign(request_id=waiting.pk)
        assert row is not None
        return row, key

    return make
