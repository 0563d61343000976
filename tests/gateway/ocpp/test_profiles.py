"""Security profiles 2 and 3 at a real gateway with TLS, its certificate and the stations' from the TPM's authority."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_django.fixtures import Settings
from websockets.exceptions import InvalidStatus

from stations.certificates.revoking import certificate_revoke
from stations.certificates.server import server_certificate_make
from stations.models import Station, StationAuthority, StationCertificate, StationRefusal
from tests.gateway.ocpp.client import Charger
from tests.gateway.ocpp.conftest import Make, Running
from tests.stations.certificates.asking import key_pem
from tests.stations.certificates.conftest import issue, root, tpm

__all__ = ["issue", "root", "tpm"]
pytestmark = pytest.mark.django_db(transaction=True)
Issue = Callable[[Station], tuple[StationCertificate, Any]]


@pytest.fixture
def secure(transactional_db: None, root: StationAuthority, settings: Settings, tmp_path: Path) -> Iterator[Running]:
    """A gateway whose certificate for 127.0.0.1 is of the authority."""
    made = server_certificate_make(hosts=["127.0.0.1"], directory=tmp_path / "gateway")
    settings.OCPP_TLS_CERT, settings.OCPP_TLS_KEY = str(made.certificate), str(made.key)
    running = Running()
    yield running
    running.stop()


@pytest.fixture
def context_of(root: StationAuthority, tmp_path: Path) -> Callable[..., ssl.SSLContext]:
    """A station's side of TLS: it believes the root it was given; with its certificate and key, where it has them."""

    def make(row: StationCertificate | None = None, key: Any = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=root.certificate_pem)
        if row is not None:
            (tmp_path / f"{row.pk}.pem").write_text(row.certificate_pem + key_pem(key))
            context.load_cert_chain(tmp_path / f"{row.pk}.pem")
        return context

    return make


def dial(secure: Running, identity: str, context: ssl.SSLContext, credential: str | None = None) -> Charger:
    url = secure.url.replace("ws://", "wss://")
    more: dict[str, Any] = {} if credential is not None else {"additional_headers": {}}
    return Charger(url, identity, credential or "", "2.0.1", ssl=context, **more)


def refused(*args: Any) -> int:
    with pytest.raises(InvalidStatus) as error:
        dial(*args)
    return int(error.value.response.status_code)


def test_a_station_comes_in_with_its_own_certificate(
    secure: Running, charger_row: Make, issue: Issue, context_of: Callable[..., ssl.SSLContext]
) -> None:
    """No password is asked for; that it has the certificate is noted."""
    station, _ = charger_row(security_profile=3)
    row, key = issue(station)
    with dial(secure, station.identity, context_of(row, key)) as charger:
        assert charger.call("Heartbeat")["currentTime"]
    row.refresh_from_db()
    assert row.state == StationCertificate.State.ACCEPTED and row.first_used_at is not None


def test_without_it_or_with_anothers_a_station_of_profile_3_stays_out(
    secure: Running, charger_row: Make, issue: Issue, context_of: Callable[..., ssl.SSLContext]
) -> None:
    """Its right password does not help; each time the operator sees why."""
    station, credential = charger_row(security_profile=3)
    other, _ = charger_row(identity="CP-2", security_profile=3)
    others = context_of(*issue(other))
    assert refused(secure, station.identity, context_of(), credential) == 403
    assert refused(secure, station.identity, others) == 403
    row = StationRefusal.objects.get()
    assert (row.reason, row.count, row.station) == ("CERTIFICATE", 2, station)
    assert "issued here to this station" in row.words


def test_profile_2_is_a_password_over_tls_or_more(
    secure: Running, charger_row: Make, issue: Issue, context_of: Callable[..., ssl.SSLContext]
) -> None:
    """On the same port; a station that has got its certificate already may use it."""
    station, credential = charger_row(security_profile=2)
    with dial(secure, station.identity, context_of(), credential) as charger:
        assert charger.call("Heartbeat")
    assert refused(secure, station.identity, context_of(), "wrong") == 401
    with dial(secure, station.identity, context_of(*issue(station))) as charger:
        assert charger.call("Heartbeat")


def test_a_revoked_certificate_closes_its_connection_and_opens_none(
    secure: Running, charger_row: Make, issue: Issue, context_of: Callable[..., ssl.SSLContext]
) -> None:
    station, _ = charger_row(security_profile=3)
    row, key = issue(station)
    context = context_of(row, key)
    charger = dial(secure, station.identity, context)
    assert charger.call("Heartbeat")
    certificate_revoke(certificate=row, reason="KEY_COMPROMISE", by=None)
    assert charger.closed() == (1008, "its certificate is not good any more")
    charger.close()
    assert refused(secure, station.identity, context) == 403
    assert StationRefusal.objects.get().words == f"certificate {row.serial_number} is revoked"


def test_a_renewed_certificate_takes_over(
    secure: Running, charger_row: Make, issue: Issue, context_of: Callable[..., ssl.SSLContext]
) -> None:
    """The old one opens until the new one was used."""
    station, _ = charger_row(security_profile=3)
    old = context_of(*issue(station))
    new = context_of(*issue(station))
    for context in (old, new):
        with dial(secure, station.identity, context) as charger:
            assert charger.call("Heartbeat")
    assert refused(secure, station.identity, old) == 403
    assert "superseded" in StationRefusal.objects.get(reason="CERTIFICATE").words
