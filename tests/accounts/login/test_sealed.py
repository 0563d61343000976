"""What the database keeps sealed: of no use in a dump, and it outlives a change of SECRET_KEY."""

import importlib
import re
import secrets
from collections.abc import Callable

import pytest
from django.apps import apps
from django.core.management import call_command
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice
from pytest_django.fixtures import Settings

from accounts.login import second_factor
from accounts.models import Authenticator, IdempotentAnswer, User
from common import resealing, sealed_text
from common.sealed_text import SealedTextError
from dev import totp
from ledger.models.webhooks import Webhook
from ledger.webhooks import delivery
from stations.models.ocpi import OcpiPartner
from stations.ocpi.secrets import seal, unseal
from tests.accounts.login.conftest import code_of
from tests.people import log_in

pytestmark = pytest.mark.django_db
migration = importlib.import_module("accounts.migrations.0007_sealed_authenticators")
NEW_KEY = "another secret key, as long and as random as the one before"
RESEALED = """\
keys of authenticators: 1 of 1 {}
answers kept for a day: 1 of 2 {}
tokens at OCPI partners: 1 of 2 {}
seals of corrections: 0 of 0 {}
secrets of webhooks: 1 of 1 {}
seals of erased records: 0 of 0 {}
seals of restored sessions: 0 of 0 {}
"""


@pytest.fixture
def all_open(owner: User, authenticator: Authenticator) -> Callable[[], None]:
    """One row of each column that keeps something sealed, of some one that keeps nothing; says whether all opens."""
    hook = Webhook(user=owner, url="https://example.org/hook")
    secret = delivery.secret_make(hook=hook)
    hook.save()
    OcpiPartner.objects.create(name="Roamer", country_code="NL", party_id="ROA", token_sealed=seal("token b"))
    OcpiPartner.objects.create(name="Newcomer", country_code="NL", party_id="NEW")
    IdempotentAnswer.objects.create(caller="anna", key="1", answer=sealed_text.seal("{}"))
    IdempotentAnswer.objects.create(caller="anna", key="2")
    key = authenticator.bin_key

    def check() -> None:
        assert Authenticator.objects.get().bin_key == key
        assert sealed_text.unseal(Webhook.objects.get().secret) == secret
        assert unseal(bytes(OcpiPartner.objects.get(party_id="ROA").token_sealed)) == "token b"
        assert sealed_text.unseal(IdempotentAnswer.objects.get(key="1").answer) == "{}"

    return check


def key_changed(settings: Settings, *, keep_old: bool) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY] if keep_old else []
    settings.SECRET_KEY = NEW_KEY


def typed(client: Client, code: str) -> str:
    return client.post("/second-factor", {"code": code}).content.decode()


# --- one value


def test_a_key_is_not_in_the_database(authenticator: Authenticator) -> None:
    stored = TOTPDevice.objects.values_list("key", flat=True).get()
    assert len(stored) == 64 and authenticator.bin_key.hex() not in stored
    with pytest.raises(ValueError):
        _ = TOTPDevice.objects.get().bin_key  # and nobody takes what is stored for the key


def test_somebody_elses_key_opens_nothing(half_in: Client, other_customer: User, authenticator: Authenticator) -> None:
    """Who can write to the table, but has not SECRET_KEY, gives nobody an authenticator of their own."""
    own = Authenticator.make(user=other_customer, confirmed=True)
    code = code_of(own)
    Authenticator.objects.filter(pk=authenticator.pk).update(key=own.key)
    assert "cannot be checked" in typed(half_in, code)
    with pytest.raises(SealedTextError):
        _ = Authenticator.objects.get(pk=authenticator.pk).bin_key


@pytest.mark.parametrize("stored", ["", "00" * 20, "A" * 64, "not base64 at all", "ä" * 20])
def test_nonsense_in_the_column(half_in: Client, authenticator: Authenticator, stored: str) -> None:
    Authenticator.objects.update(key=stored)
    assert "cannot be checked" in typed(half_in, "123456")


@pytest.mark.parametrize(("purpose", "about"), [("a", "2"), ("b", "1"), ("a", "")])
def test_bytes_open_only_where_they_belong(purpose: str, about: str) -> None:
    sealed = sealed_text.seal_bytes(b"data", purpose="a", about="1")
    assert sealed_text.unseal_bytes(sealed, purpose="a", about="1") == b"data"
    with pytest.raises(SealedTextError):
        sealed_text.unseal_bytes(sealed, purpose=purpose, about=about)


@pytest.mark.parametrize("position", [0, 11, 12, -17, -1])
def test_altered_bytes_do_not_open(position: int) -> None:
    sealed = bytearray(sealed_text.seal_bytes(secrets.token_bytes(20), purpose="a"))
    sealed[position] ^= 1
    with pytest.raises(SealedTextError):
        sealed_text.unseal_bytes(bytes(sealed), purpose="a")


def test_what_was_plain_is_sealed_by_the_migration(owner: User) -> None:
    plain = TOTPDevice.objects.create(user=owner, name="authenticator", confirmed=True)
    sealed = Authenticator.make(user=owner)
    for _ in range(2):
        migration.seal(apps, None)
        assert Authenticator.objects.get(pk=plain.pk).bin_key.hex() == plain.key
        assert Authenticator.objects.get(pk=sealed.pk).key == sealed.key
    for _ in range(2):
        migration.unseal(apps, None)
        assert TOTPDevice.objects.get(pk=plain.pk).key == plain.key
        assert TOTPDevice.objects.get(pk=sealed.pk).bin_key == sealed.bin_key


# --- another SECRET_KEY


def test_with_the_old_key_kept_nobody_notices(
    half_in: Client, authenticator: Authenticator, settings: Settings
) -> None:
    code = code_of(authenticator)
    key_changed(settings, keep_old=True)
    assert half_in.post("/second-factor", {"code": code})["Location"] == "/"


def test_without_it_a_recovery_code_leads_to_a_new_authenticator(
    owner: User, authenticator: Authenticator, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Sessions are over then; the person logs in again."""
    code, (recovery, *_) = code_of(authenticator), second_factor.recovery_codes_new(user=owner)
    key_changed(settings, keep_old=False)
    client = Client()
    log_in(client, owner, second_factor=False)
    page = typed(client, code)
    assert "Codes of your authenticator cannot be checked at the moment. Use a recovery code." in page
    assert "SECRET_KEY_FALLBACKS" in caplog.text
    authenticator.refresh_from_db()
    assert authenticator.throttling_failure_count == 0, "nobody has to wait for what is no fault of theirs"
    assert client.post("/second-factor/recovery", {"code": recovery})["Location"] == "/"
    page = client.get("/second-factor/set-up").content.decode()
    (key,) = re.findall(r"data-value[^>]*>([A-Z2-7 ]+)<", page)
    assert client.post("/second-factor/set-up", {"code": totp.code(key)}).status_code == 200
    assert Authenticator.objects.get().opens()


def test_an_authenticator_that_was_being_set_up_begins_anew(half_in: Client, owner: User, settings: Settings) -> None:
    half_in.get("/second-factor/set-up")
    before = Authenticator.objects.get()
    other = Authenticator.make(user=owner)
    Authenticator.objects.filter(pk=before.pk).update(key=other.key[::-1])
    other.delete()
    assert half_in.get("/second-factor/set-up").status_code == 200
    assert Authenticator.objects.get().pk != before.pk


def test_sealed_anew_the_old_key_can_go(
    all_open: Callable[[], None], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    key_changed(settings, keep_old=True)
    call_command("reseal", dry_run=True)
    assert capsys.readouterr().out == RESEALED.format(*["would be sealed anew"] * 7)
    call_command("reseal")
    assert capsys.readouterr().out == RESEALED.format(*["sealed anew"] * 7)
    settings.SECRET_KEY_FALLBACKS = []
    call_command("reseal")
    assert set(re.findall(r": (\d+) of", capsys.readouterr().out)) == {"0"}
    all_open()


def test_what_cannot_be_opened_is_said_and_kept(
    all_open: Callable[[], None], settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    before = settings.SECRET_KEY
    key_changed(settings, keep_old=False)
    with pytest.raises(SystemExit) as ended:
        call_command("reseal")
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert said.out.splitlines()[0] == "keys of authenticators: 0 of 1 sealed anew, 1 could not be opened"
    assert "EVPORTAL_SECRET_KEY_FALLBACKS" in said.err
    settings.SECRET_KEY = before
    all_open()


def test_what_is_replaced_meanwhile_stays(owner: User, authenticator: Authenticator, settings: Settings) -> None:
    key_changed(settings, keep_old=True)

    def anew(row: Authenticator) -> str | None:
        value = row.key_anew()
        Authenticator.objects.filter(pk=row.pk).update(key="replaced")
        return value

    column = resealing.Column("keys", Authenticator, "key", anew)
    assert resealing.reseal(column).old == 1
    assert Authenticator.objects.get().key == "replaced"
