"""The public page of the log: before anything is in it, without witnesses, and with three of which one is missing."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.fixtures import DjangoAssertNumQueries, Settings
from pytest_django.live_server_helper import LiveServer

from ledger.log.witnesses.register import witness_add, witness_disable
from ledger.models import LogCosignature, LogWitness
from portal.log import page as log_page
from portal.log.growth import growth
from tests.ledger.log.operator import ORIGIN, LogKey, WitnessKey, leaves, publish
from tests.portal.history.test_history import text
from tests.readers import reader_at
from tpm.models import TpmService

pytestmark = pytest.mark.django_db
SCREENS = [("wide", "light", "en"), ("narrow", "dark", "de"), ("narrow", "light", "en"), ("wide", "dark", "de")]
MakeLog = Callable[..., LogKey]


@pytest.fixture(autouse=True)
def forgotten(settings: Settings) -> None:
    settings.LOG_ORIGIN = ORIGIN
    cache.delete("log:growth")


@pytest.fixture
def make_log(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> MakeLog:
    def make(*, days: int = 0, witnesses: int = 0) -> LogKey:
        """A checkpoint each day, or two; the first witness has not signed the newest."""
        settings.LEDGER_PUBLIC_NODES = ["https://node.example.org", "https://other.example.net"]
        key = LogKey()
        monkeypatch.setattr("ledger.receipts.published.log_vkey", lambda: key.vkey)
        signers = [WitnessKey(f"witness{number}.example/w") for number in range(witnesses)]
        rows = [witness_add(url="https://witness.example/w", vkey=each.vkey)[0] for each in signers]
        sizes = [7 + 13 * number for number in range(max(days, 2))]
        for number, size in enumerate(sizes):
            ago = timedelta(days=len(sizes) - 1 - number) if days else timedelta(minutes=len(sizes) - number)
            checkpoint = publish(key, leaves(size), ago=ago)
            for signer, row in zip(signers, rows, strict=True):
                if row != rows[0] or number < len(sizes) - 1:
                    at = timezone.now() - ago
                    line = signer.line(checkpoint.note, int(at.timestamp())).rstrip("\n")
                    LogCosignature.objects.create(checkpoint=checkpoint, witness=row, line=line, cosigned_at=at)
        if rows:
            LogWitness.objects.filter(pk=rows[0].pk).update(state="MISSING")
        return key

    return make


def test_before_anything_is_in_it(client: Client) -> None:
    page = text(client, "/log")
    assert "Nothing is in the log yet" in page and "Nobody witnesses this log yet" in page
    assert "<svg" not in page and "--log-key" not in page


def test_without_witnesses_it_says_what_that_means(client: Client, make_log: MakeLog) -> None:
    key = make_log()
    page = text(client, "/log")
    assert "Nobody witnesses this log yet" in page and "Nothing is in the log" not in page
    assert key.vkey.replace("+", "&#43;") in page.replace("&#x2B;", "&#43;") or key.vkey in page
    assert 'href="http://testserver/log/checkpoint"' in page


def test_who_witnesses_what_since_when(client: Client, make_log: MakeLog) -> None:
    make_log(days=4, witnesses=3)
    page = text(client, "/log")
    assert "of 3 witnesses" in page
    assert page.count("has signed the last state") == 2 and page.count("does not answer") == 1
    for each in LogWitness.objects.all():
        assert each.vkey in page and each.name in page
    assert "--witness" in page and "--node https://node.example.org" in page
    witness_disable(witness=LogWitness.objects.first())  # type: ignore[arg-type]
    assert "of 2 witnesses" in text(client, "/log")


def test_growth_by_day_and_by_hour(make_log: MakeLog) -> None:
    make_log(days=4)
    found = growth(timezone.now())
    assert found is not None and not found.is_hourly
    assert [size for _, size in found.points] == [7, 20, 33, 46] and found.newest_first[0] == found.last


def test_growth_of_a_young_log(make_log: MakeLog) -> None:
    make_log()
    found = growth(timezone.now())
    assert found is not None and found.is_hourly and found.last[1] == 20 and len(found.points) <= 2


def test_as_many_queries_for_a_long_log_with_many_witnesses(
    client: Client, make_log: MakeLog, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_log(days=9, witnesses=5)
    with django_assert_max_num_queries(12) as asked:
        client.get("/log")
    cache.delete("log:growth")
    few = len(asked)
    LogWitness.objects.exclude(pk=LogWitness.objects.first().pk).update(enabled=False)  # type: ignore[union-attr]
    with django_assert_max_num_queries(few) as asked:
        client.get("/log")
    assert len(asked) == few


def test_where_it_is_linked(client: Client) -> None:
    for address in ("/", "/verify", "/imprint"):
        assert 'href="/log"' in text(client, address), address
    context = client.get("/verify").context
    assert context["log_key"] == "" and context["witnesses"] == ()
    assert log_page.witnesses() == []


@pytest.mark.parametrize(("size", "scheme", "language"), SCREENS)
@pytest.mark.django_db(transaction=True)
def test_everybody_can_read_it(
    chromium: Browser, live_server: LiveServer, make_log: MakeLog, size: str, scheme: str, language: str
) -> None:
    reader = reader_at(chromium, live_server.url, size, scheme, language)
    reader.go("/log")
    reader.fine("log-empty")
    make_log(days=12, witnesses=2)
    cache.delete("log:growth")
    TpmService.objects.create(name="tpm", url="http://tpm:8100", ak_public=b"an AK", ek_certificate=b"its EK's")
    seen = WitnessKey("witness1.example/w").ak_certificate(b"an AK", b"its EK's", int(timezone.now().timestamp()))
    LogWitness.objects.filter(name="witness1.example/w").update(ak_certificates=[seen])
    reader.go("/log")
    row = reader.page.locator("table.stacked").first.locator("tbody tr").first
    expect(row.locator("td")).to_have_count(5)  # with the one on the TPM
    expect(reader.page.locator("svg[role=img]")).to_be_visible()
    reader.fine("log")
    reader.context.close()
