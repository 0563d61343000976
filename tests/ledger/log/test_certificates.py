"""What witnesses say of our TPM: kept where it holds, shown in words, and put into receipts of keys made there."""

import base64
import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import Role
from ledger.log.note import VerifierKey
from ledger.log.witnesses import shown, tasks
from ledger.log.witnesses.certificates import certificate_for, certificates_in, looked_at
from ledger.log.witnesses.register import witness_add
from ledger.models import LogWitness
from ledger.receipts import receipt
from ledger.receipts.receipt import Pins
from tests.evportal.admin.test_admin import address
from tests.ledger.log.operator import ORIGIN, WitnessKey
from tests.ledger.log.witness_server import Witness
from tests.ledger.receipts.receipt_chain import script
from tests.people import browser_of, person
from tests.vectors.log_world import AUDITOR, CLUB, FLEET, LOG_KEY
from tests.vectors.logged_making import LOGGED, PINNED
from tests.vectors.making import PINS, WORLD
from tpm.models import KeyCertification, TpmService

AK, EK = b"an AK", b"its EK's certificate"
OLD_AK, OLD_EK = b"the AK of before", b"the EK's certificate of before"
NOW_S = 1_796_096_652
KEY = WitnessKey("club.example/w")
GOOD = KEY.ak_certificate(AK, EK, NOW_S - 60)
TPM = (str(GOOD["ak"]), str(GOOD["ek_certificate"]))


def kept(*shown_ones: Any) -> list[dict[str, Any]]:
    return certificates_in({"ak_certificates": list(shown_ones)}, VerifierKey.parse(KEY.vkey), {TPM}, latest=NOW_S)


def certification(ak: bytes, ek_certificate: bytes | None) -> dict[str, Any]:
    texts = [None if part is None else base64.b64encode(part).decode() for part in (ak, ek_certificate)]
    return dict(zip(("ak", "ek_certificate"), texts, strict=True))


def test_only_what_holds_is_kept() -> None:
    assert kept(GOOD) == [GOOD]
    signature = base64.b64decode(str(GOOD["signature"]))
    wrong: list[Any] = [
        *(None, 3, "x", [], {}),
        {**GOOD, "more": 1},
        {name: value for name, value in GOOD.items() if name != "root"},
        {**GOOD, "time": NOW_S - 59},
        {**GOOD, "root": "0" * 64},
        {**GOOD, "signature": base64.b64encode(signature[:-1]).decode()},
        {**GOOD, "signature": base64.b64encode(signature + b"\0").decode()},
        {**GOOD, "signature": f"{GOOD['signature']}\n"},
        {**GOOD, "signature": None},
        KEY.ak_certificate(AK, EK, NOW_S - 60, format="evportal-ak-certificate/2"),
        KEY.ak_certificate(AK, EK, NOW_S - 60, root="A" * 64),
        KEY.ak_certificate(AK, EK, NOW_S - 60, time=True),
        KEY.ak_certificate(AK, EK, NOW_S - 60, time=float(NOW_S)),
        KEY.ak_certificate(AK, EK, 0),
        KEY.ak_certificate(AK, EK, NOW_S + 1),
        KEY.ak_certificate(OLD_AK, EK, NOW_S - 60),
        KEY.ak_certificate(AK, OLD_EK, NOW_S - 60),
        WitnessKey("club.example/w").ak_certificate(AK, EK, NOW_S - 60),
    ]
    for one in wrong:
        assert kept(one) == [], one
    newer = KEY.ak_certificate(AK, EK, NOW_S - 30)
    assert kept(*wrong, newer, GOOD) == [newer]
    nonsense: list[Any] = [None, [], "x", {}, {"ak_certificates": None}, {"ak_certificates": {"a": GOOD}}]
    for status in nonsense:
        assert certificates_in(status, VerifierKey.parse(KEY.vkey), {TPM}, latest=NOW_S) == []


def test_a_receipt_gets_the_one_of_its_own_tpm() -> None:
    old = KEY.ak_certificate(OLD_AK, OLD_EK, NOW_S - 9_000)
    both = [old, GOOD]
    assert certificate_for(both, certification(AK, EK)) == GOOD
    assert certificate_for(both, certification(OLD_AK, OLD_EK)) == old
    for other in (None, certification(AK, None), certification(AK, OLD_EK), certification(OLD_AK, EK)):
        assert certificate_for(both, other) is None
    assert certificate_for([], certification(AK, EK)) is None
    assert looked_at(both, {TPM}) == datetime.fromtimestamp(NOW_S - 60, UTC)
    assert looked_at([old], {TPM}) is None


# --- from the witness to the pages


@pytest.fixture
def witness(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Witness]:
    settings.WEBHOOK_ALLOW_LOCAL, settings.LOG_ORIGIN = True, ORIGIN
    monkeypatch.setattr(shown, "log_vkey", lambda: "")
    made = Witness()
    yield made
    made.stop()


@pytest.fixture
def tpm(db: None) -> TpmService:
    return TpmService.objects.create(name="tpm", url="http://tpm:8100", ak_public=AK, ek_certificate=EK)


def certified(tpm: TpmService, ak: bytes, ek_certificate: bytes) -> None:
    parts = {"public": b"", "attest": b"", "signature": b"", "ak_public": ak, "ek_certificate": ek_certificate}
    KeyCertification.objects.create(service=tpm, key_name="log", public_key_eosio="PUB_R1_x", **parts)


@pytest.mark.django_db
def test_it_is_collected_from_the_status_and_withdrawn_there(witness: Witness, tpm: TpmService) -> None:
    row, _ = witness_add(url=witness.url, vkey=witness.key.vkey)
    seconds = int(timezone.now().timestamp())
    good = witness.key.ak_certificate(AK, EK, seconds)
    old = witness.key.ak_certificate(OLD_AK, OLD_EK, seconds - 9)
    foreign = witness.key.ak_certificate(b"another log's", EK, seconds)
    false = WitnessKey(witness.key.name).ak_certificate(AK, EK, seconds)

    def compared(status: Any) -> list[Any]:
        witness.status = status
        tasks.witness_compare_one(row.pk)
        row.refresh_from_db()
        return copy.copy(row.ak_certificates)

    assert compared({"ak_certificates": [false, foreign, old]}) == []
    assert compared({"ak_certificates": [false, foreign, good, old]}) == [good]
    assert compared([]) == [good] == compared(None)  # no status of a witness; no answer
    certified(tpm, OLD_AK, OLD_EK)  # as before the TPM was replaced: receipts of then name it
    assert sorted(each["time"] for each in compared({"ak_certificates": [good, old]})) == [seconds - 9, seconds]
    assert compared({"ak_certificates": [old]}) == [old]
    assert compared({"logs": []}) == []


@pytest.mark.django_db
def test_admin_and_public_page_say_it(client: Client, witness: Witness, tpm: TpmService) -> None:
    row, _ = witness_add(url=witness.url, vkey=witness.key.vkey)
    browser, page = browser_of(person("anna", Role.ADMIN)), address("ledger.logwitness", "change", row.pk)
    assert "It shows no certificate of a TPM of ours" in browser.get(page).content.decode()
    assert "Looked at our TPM" not in client.get("/log").content.decode()
    LogWitness.objects.filter(pk=row.pk).update(ak_certificates=[witness.key.ak_certificate(OLD_AK, OLD_EK, NOW_S)])
    assert "Looked at our TPM" not in client.get("/log").content.decode()  # only at one of before
    good = witness.key.ak_certificate(AK, EK, NOW_S)
    LogWitness.objects.filter(pk=row.pk).update(ak_certificates=[good])
    at = f"{datetime.fromtimestamp(NOW_S, UTC):%Y-%m-%d %H:%M:%S}"
    words = f"It looked at the TPM with the AK {good['ak']} itself, at {at} UTC."
    assert words in browser.get(page).content.decode()
    out = StringIO()
    call_command("log_witness", "list", stdout=out)
    assert f"looked at the TPM with the AK {good['ak']}\n" in out.getvalue()
    public = client.get("/log").content.decode()
    assert "Looked at our TPM" in public and "looked for themselves" in public


# --- what is said of it when a receipt is checked


def test_it_is_said_of_pinned_witnesses_only() -> None:
    module: Any = script()
    made = LOG_KEY.attestation()
    stated = {one.name: one.ak_certificate(made) for one in (CLUB, AUDITOR)}
    content = LOGGED.but(key_attestation=made, ak_certificates=stated).receipt()
    for pinned, names in (
        ([CLUB], [CLUB.name]),
        ([AUDITOR, CLUB], [CLUB.name, AUDITOR.name]),
        ([], []),
        ([FLEET], []),
    ):
        pins = {**PINS, **PINNED, "witnesses": [one.vkey for one in pinned]}
        step = receipt.verify(content, [], Pins(WORLD.key.public, **pins), offline=True).steps[14]
        said = f"this TPM was looked at by {', '.join(names)}"
        assert step.note == (said if names else ""), pinned
        told = {**pins, "key": WORLD.key.public, "offline": True}
        steps, notices = module.verify(json.dumps(content).encode(), [], told)
        words = list(module.sibling("verify_log").words([], steps, notices, told))
        assert (f"T{said[1:]}." in words) == bool(names) == any("looked at" in one for one in words), words
    wrong = {CLUB.name: AUDITOR.ak_certificate(made)}
    content = LOGGED.but(key_attestation=made, ak_certificates=wrong).receipt()
    step = receipt.verify(content, [], Pins(WORLD.key.public, **{**PINS, **PINNED}), offline=True).steps[14]
    assert step.outcome == "failed" and "looked at" not in f"{step.note} {step.found}"
