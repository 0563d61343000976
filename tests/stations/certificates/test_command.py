"""`manage.py station_authority` from the first key to the gateway's certificate, and what everybody may fetch."""

import json
import re
from io import StringIO
from pathlib import Path

import pytest
from cryptography import x509
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django.fixtures import Settings

from dev.parts.tpm_service import TpmStack
from stations.certificates import authority
from stations.models import StationAuthority, StationCertificate
from tests.stations.certificates.asking import openssl


def said(*words: str | Path) -> str:
    out = StringIO()
    call_command("station_authority", *map(str, words), stdout=out)
    return out.getvalue()


def test_from_the_first_key_to_the_next(tpm: TpmStack, tmp_path: Path) -> None:
    assert "there is none" in said("show")
    with pytest.raises(CommandError, match="there is no authority"):
        said("export-root")
    first = said("create")
    assert "Charging stations CA 1: signs" in first and "key          stations-ca, made in the attested TPM" in first
    with pytest.raises(CommandError, match="renew"):
        said("create")
    said("export-root", "--out", tmp_path / "roots.pem")
    assert (tmp_path / "roots.pem").read_text() == StationAuthority.objects.get().certificate_pem
    assert "then run `renew --switch`" in said("renew")
    assert said("export-root").count("BEGIN CERTIFICATE") == 2
    with pytest.raises(CommandError, match="signs, or is ended"):
        said("renew", "--end", "Charging stations CA 1")
    assert "Charging stations CA 2: signs" in said("renew", "--switch")
    assert "is ended" in said("renew", "--end", "Charging stations CA 1")
    with pytest.raises(CommandError, match="no authority CA 9"):
        said("renew", "--end", "CA 9")
    (second,) = [row for row in json.loads(said("show", "--json")) if row["status"] == "1_CURRENT"]
    assert second["name"] == "Charging stations CA 2" and second["attestation"]["format"]
    assert "list 2, 0 revoked" in said("crl", "--out", tmp_path / "crl.der")
    assert (
        x509.load_der_x509_crl((tmp_path / "crl.der").read_bytes()).issuer
        == authority.root_of(authority.authority_signing()).subject
    )


def test_without_a_tpm_nothing_is_made(tpm: TpmStack, settings: Settings) -> None:
    settings.TPM_SERVICE_URL = "http://127.0.0.1:9"
    with pytest.raises(CommandError, match="no TPM service is registered"):
        said("create")
    assert not StationAuthority.objects.exists()


def test_the_gateways_own_certificate(root: StationAuthority, tmp_path: Path) -> None:
    """OpenSSL takes it as a server's, for each of its names; its key is nobody else's to read."""
    told = said("server-certificate", "--name", "ocpp.example.org", "--name", "192.0.2.7", "--out", tmp_path / "new")
    files = {name: Path(path) for name, path in re.findall(r"(EVPORTAL_\w+)=(.+)", told)}
    cert, key = files["EVPORTAL_OCPP_TLS_CERT"], files["EVPORTAL_OCPP_TLS_KEY"]
    assert key.stat().st_mode & 0o777 == 0o600
    (tmp_path / "root.pem").write_text(root.certificate_pem)
    for check in (("-verify_hostname", "ocpp.example.org"), ("-verify_ip", "192.0.2.7")):
        purpose = ("-x509_strict", "-purpose", "sslserver", "-CAfile", tmp_path / "root.pem")
        done = openssl("verify", *purpose, *check, cert)
        assert done.returncode == 0, done.stderr
    row = StationCertificate.objects.get()
    assert (row.station, row.common_name) == (None, "ocpp.example.org")
    said("server-certificate", "--name", "ocpp.example.org", "--out", tmp_path / "new")
    assert StationCertificate.objects.count() == 2
    for wrong in ("*.example.org", "a b", "x" * 65, ""):
        with pytest.raises(CommandError, match="expected a host name"):
            said("server-certificate", "--name", wrong, "--out", tmp_path)


def test_everybody_may_fetch_roots_and_lists(root: StationAuthority, tmp_path: Path) -> None:
    client = Client()
    response = client.get("/ocpp/ca.pem")
    assert (response.status_code, response["Content-Type"]) == (200, "application/x-pem-file")
    assert response.content.decode() == root.certificate_pem
    for path in ("/ocpp/ca.crl", f"/ocpp/ca-{root.pk}.crl"):
        response = client.get(path)
        assert (response.status_code, response["Content-Type"]) == (200, "application/pkix-crl")
        assert x509.load_der_x509_crl(response.content).is_signature_valid(authority.root_of(root).public_key())  # type: ignore[arg-type]
    assert client.get("/ocpp/ca-999.crl").status_code == 404 and client.post("/ocpp/ca.crl").status_code == 405


@pytest.mark.django_db
def test_without_an_authority_there_is_nothing_to_fetch() -> None:
    assert [Client().get(path).status_code for path in ("/ocpp/ca.pem", "/ocpp/ca.crl")] == [404, 404]
