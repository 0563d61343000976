"""Security profiles 2 and 3 at a real gateway with TLS, its certificate and the stations' from the TPM's authority."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django.fixtures import Settings
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from dev.stations.by_hand import by_hand
from stations.certificates import tasks, telling
from stations.certificates.revoking import certificate_revoke
from stations.certificates.rotation import credential_rotate
from stations.certificates.server import server_certificate_make
from stations.models import (
    CertificateRequest,
    Command,
    InstalledRoot,
    NextCredential,
    OcppMessage,
    Station,
    StationAuthority,
    StationCertificate,
    StationRefusal,
)
from stations.places.credentials import credential_holds
from tests.gateway.ocpp.client import Charger
from tests.gateway.ocpp.conftest import Make, Running
from tests.stations.certificates.asking import key_pem
from tests.stations.certificates.conftest import issue, root, tpm
from tests.waiting import until

__all__ = ["issue", "root", "tpm"]
pytestmark = pytest.mark.django_db(transaction=True)
VERSIONS = ["1.6", "2.0.1", "2.1"]
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


def test_an_authority_that_nobody_knows_is_told_without_a_name(
    secure: Running, context_of: Callable[..., ssl.SSLContext], tmp_path: Path
) -> None:
    context = context_of()
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "foreign.pem"), "-subj", "/CN=CP-1"]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=60)
    context.load_cert_chain(tmp_path / "foreign.pem", tmp_path / "key.pem")
    for _ in range(2):
        with pytest.raises((ssl.SSLError, ConnectionError, ConnectionClosed, InvalidHandshake)):
            dial(secure, "CP-1", context)
    asyncio.run_coroutine_threadsafe(secure.gateway.disbelieved_note(), secure.loop).result(60)
    row = StationRefusal.objects.get()
    assert (row.identity, row.reason, row.station) == ("(TLS, no name was said)", "CERTIFICATE", None)
    assert "2; " in row.words and row.count == 1


def test_without_its_own_certificate_a_gateway_does_not_start(
    transactional_db: None, settings: Settings, tmp_path: Path
) -> None:
    settings.OCPP_TLS_CERT = str(tmp_path / "missing.pem")
    with pytest.raises(CommandError, match=r"EVPORTAL_OCPP_TLS_CERT and _KEY: .*missing\.pem"):
        call_command("gateway", port=0)


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


@pytest.fixture
def ca(root: StationAuthority, tmp_path: Path) -> Path:
    (tmp_path / "root.pem").write_text(root.certificate_pem)
    return tmp_path / "root.pem"


def answered(check: Callable[[], Any]) -> Any:
    """Let the worker come by, as the beat does, until it is so."""

    def swept() -> Any:
        tasks.certificates_sweep()
        return check()

    return until(swept)


@pytest.mark.parametrize("version", VERSIONS)
def test_from_a_password_to_a_certificate(secure: Running, charger_row: Make, ca: Path, version: str) -> None:
    """It is told who we are, makes a key, has it certified by the TPM, and comes in with that alone."""
    station, credential = charger_row(security_profile=2)
    url = secure.url.replace("ws://", "wss://")
    mine = StationCertificate.objects.filter(station=station)  # and none of the gateway
    with by_hand(url, station.identity, credential, version, ca=ca) as cp:
        station.refresh_from_db()
        telling.certificate_ask(station=station)
        row = answered(lambda: mine.filter(state="ACCEPTED").first())
        assert CertificateRequest.objects.get().state == CertificateRequest.State.ISSUED
        cp.offline()
        Station.objects.update(security_profile=3, credential_hash="")
        cp.online()
        until(lambda: mine.get().first_used_at)
        assert cp.state.chain.strip() == row.certificate_pem.strip()
        assert telling.renewals_ask() == 0, "it is good for a year"
        mine.update(expires_at=timezone.now() + timedelta(days=20))
        assert telling.renewals_ask() == 1 and telling.renewals_ask() == 0
        answered(lambda: mine.filter(state="ACCEPTED").count() == 2)
        cp.offline()
        cp.online()
        until(lambda: mine.filter(state="SUPERSEDED").exists())


@pytest.mark.parametrize("version", VERSIONS)
def test_a_new_password_and_a_root_are_told_to_the_station(
    secure: Running, charger_row: Make, root: StationAuthority, ca: Path, version: str
) -> None:
    """Nobody sees the password: not in the command, nor in the log of messages."""
    station, old = charger_row(security_profile=2)
    url = secure.url.replace("ws://", "wss://")
    with by_hand(url, station.identity, old, version, ca=ca) as cp:
        credential_rotate(station=station)
        telling.root_install(station=station, root=root, by=None)
        until(lambda: cp.state.credential != old)
        answered(lambda: InstalledRoot.objects.get().state == InstalledRoot.State.INSTALLED)
        assert NextCredential.objects.get().state == NextCredential.State.TOLD
        cp.offline()
        cp.online()
        until(lambda: not NextCredential.objects.exists())
        new = cp.state.credential
    station.refresh_from_db()
    assert credential_holds(station, new) and not credential_holds(station, old)
    texts = [*OcppMessage.objects.values_list("text", flat=True), *map(str, Command.objects.values_list("params"))]
    assert not [text for text in texts if new in text]  # for 1.6 in hexadecimal, as this station goes on sending it


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_test_ocpp_comes_in_with_a_certificate(
    secure: Running, charger_row: Make, issue: Issue, ca: Path, tmp_path: Path, version: str
) -> None:
    """A client that nobody here wrote (PyPI test-ocpp), which has no password."""
    station, _ = charger_row(security_profile=3)
    row, key = issue(station)
    (tmp_path / "cert.pem").write_text(row.certificate_pem)
    (tmp_path / "key.pem").write_text(key_pem(key))
    url = secure.url.replace("ws://", "wss://")
    files = [f"--{name}={path}" for name, path in (("ca", ca), *((n, tmp_path / f"{n}.pem") for n in ("cert", "key")))]
    command = [sys.executable, "-m", "test_ocpp", url, station.identity, "--ocpp", version, *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    without = subprocess.run([*command[:-2]], capture_output=True, text=True, timeout=60, check=False)
    assert without.returncode != 0 and "403" in without.stdout + without.stderr


def test_a_proxy_in_front_hands_the_certificate_on(
    gateway: Running, charger_row: Make, issue: Issue, settings: Settings
) -> None:
    """TLS ends there; what it says is believed by its address alone. A profile that is raised closes the weaker one."""
    station, credential = charger_row(security_profile=3)
    row, _ = issue(station)
    headers = {"Client-Cert": quote(row.certificate_pem), "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.9"}
    with pytest.raises(InvalidStatus):
        Charger(gateway.url, station.identity, "", additional_headers=headers)
    settings.OCPP_TRUSTED_PROXIES = ["127.0.0.0/8"]
    with Charger(gateway.url, station.identity, "", additional_headers=headers) as charger:
        assert charger.call("Heartbeat")
    with pytest.raises(InvalidStatus):
        Charger(gateway.url, station.identity, "", additional_headers=headers | {"Client-Cert": "none"})
    assert set(StationRefusal.objects.values_list("reason", "address")) == {
        *[("TLS", "127.0.0.1"), ("CERTIFICATE", "192.0.2.9")]
    }
    Station.objects.update(security_profile=1)
    charger = Charger(gateway.url, station.identity, credential)
    Station.objects.update(security_profile=3)
    assert charger.closed() == (1008, "only its certificate lets it in from now on")
    charger.close()
