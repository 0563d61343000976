"""A wrong session is taken back whole by a credit, once, for a reason that is kept; the sums come out right."""

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.login.roles import roles_set
from accounts.models import Role, User
from portal.history.query import by_day
from portal.history.totals import Totals, totals_of
from stations.charging import plausibility
from stations.charging.corrections import Figures, correction_about, refusal, session_correct, session_credit
from stations.errors import CorrectionRefusedError, RecordingUnavailableError
from stations.models import ChargingSession, Connector, IdToken, Site, Station
from stations.models.corrections import Correction
from tests.conftest import SIGNED
from tests.people import log_in
from tests.stations.conftest import Ear, crowd, in_thread

REASON = "The meter was read wrongly after its repair."
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
Make = Callable[..., ChargingSession]


def made(**fields: object) -> ChargingSession:
    """A closed session of anna at a station of its own."""
    number = uuid.uuid4().hex[:8]
    site, _ = Site.objects.get_or_create(code="S1", defaults={"name": "Harbour office", "time_zone": "Europe/Berlin"})
    connector = Connector.objects.create(
        station=Station.objects.create(site=site, identity=f"CP-{number}"), max_power_w=22_000
    )
    anna, _ = User.objects.get_or_create(username="anna")
    token, _ = IdToken.objects.get_or_create(uid="04A2B3", defaults={"customer": anna})
    usual: dict[str, object] = {"energy_wh": 7_780, "cost_minor": 312, "currency": "EUR", "status": "COMPLETED"}
    usual |= {"stopped_at": START + timedelta(hours=1)}
    return ChargingSession.objects.create(
        station=connector.station,
        connector=connector,
        transaction_id="T1",
        id_token=token,
        customer=anna,
        location={"id": "S1", "name": "Harbour office", "country": "DEU", "time_zone": "Europe/Berlin"},
        started_at=START,
        source="STATION",
        **{**usual, **fields},
    )


@pytest.fixture
def session(db: None) -> ChargingSession:
    return made()


@pytest.fixture
def operator(db: None) -> User:
    user = User.objects.create_user("olga")
    roles_set(user=user, roles=[Role.OPERATOR])
    return user


@pytest.fixture
def browser(operator: User) -> Client:
    client = Client()
    log_in(client, operator)
    return client


def figures(**changes: Any) -> Figures:
    usual: dict[str, Any] = {"energy_wh": 5_000, "cost_minor": 200}
    usual |= {"started_at": START, "stopped_at": START + timedelta(hours=1)}
    return Figures(**usual | changes)


def totals() -> Totals:
    return totals_of(by_day(ChargingSession.objects.all(), ZoneInfo("Europe/Berlin")))


# --- what is made


def test_a_credit_takes_the_session_back_whole(session: ChargingSession, operator: User, ear: Ear) -> None:
    ChargingSession.objects.filter(pk=session.pk).update(**SIGNED)
    credit = session_credit(session=session, reason=REASON, by=operator)
    assert (credit.energy_wh, credit.cost_minor, credit.currency) == (-7_780, -312, "EUR")
    assert credit.credit and credit.credit_reference == session and credit.status == "COMPLETED"
    assert (credit.customer, credit.id_token, credit.location) == (session.customer, session.id_token, session.location)
    assert ear.heard == [credit]
    assert [(line["kind"], line["quantity"], line["amount_minor"]) for line in credit.cost_lines] == [
        ("ENERGY", -7_780, -311),
        ("FLAT", -1, -1),
    ]
    assert (credit.signed_meter_values, credit.signed_verdict, credit.meter_public_key) == ([], "", ""), "it is none"
    session.refresh_from_db()
    assert (session.energy_wh, session.cost_minor) == (7_780, 312)
    correction = Correction.objects.get()
    assert (correction.session, correction.credit, correction.reason, correction.by) == (
        session,
        credit,
        REASON,
        operator,
    )
    assert (totals().sessions, totals().energy_wh, totals().costs) == (0, 0, [])


def test_a_correction_also_records_it_anew(session: ChargingSession, operator: User, ear: Ear) -> None:
    credit, anew = session_correct(session=session, reason=REASON, figures=figures(), by=operator)
    assert (anew.energy_wh, anew.cost_minor, anew.credit) == (5_000, 200, False)
    assert ear.heard == [credit, anew]
    assert (totals().sessions, totals().energy_wh, totals().costs) == (1, 5_000, [(200, "EUR")])
    for one in (session, credit, anew):
        assert correction_about(one) == Correction.objects.get()


def test_a_replacement_that_is_wrong_too_can_be_corrected(session: ChargingSession, operator: User) -> None:
    _, first = session_correct(session=session, reason=REASON, figures=figures(), by=operator)
    _, second = session_correct(session=first, reason=REASON, figures=figures(energy_wh=6_000), by=operator)
    assert (totals().sessions, totals().energy_wh, totals().rows) == (1, 6_000, 5)
    found = correction_about(first)
    assert found is not None and found.replacement == second


def test_a_session_that_was_never_billed_is_corrected_but_not_credited(db: None, operator: User) -> None:
    invalid = made(status="INVALID", energy_wh=None, cost_minor=None, currency="", flags=[plausibility.POWER_EXCEEDED])
    with pytest.raises(CorrectionRefusedError, match="not billed"):
        session_credit(session=invalid, reason=REASON, by=operator)
    credit, anew = session_correct(session=invalid, reason=REASON, figures=figures(), by=operator)
    assert (credit.energy_wh, credit.cost_minor) == (0, None)
    assert (anew.energy_wh, anew.currency) == (5_000, "EUR")


# --- what is refused


def test_once_only_and_no_credit_of_a_credit(session: ChargingSession, operator: User, ear: Ear) -> None:
    credit = session_credit(session=session, reason=REASON, by=operator)
    for wrong, words in ((session, "credited already"), (credit, "a credit itself")):
        with pytest.raises(CorrectionRefusedError, match=words):
            session_credit(session=wrong, reason=REASON, by=operator)
    with pytest.raises(CorrectionRefusedError, match="still charging"):
        session_credit(session=made(status="ACTIVE", stopped_at=None), reason=REASON, by=operator)
    assert ear.heard == [credit] and Correction.objects.count() == 1


@pytest.mark.parametrize("reason", ["", "   ", "too short", "x" * 501, " " * 20])
def test_a_reason_is_required(session: ChargingSession, operator: User, reason: str) -> None:
    with pytest.raises(CorrectionRefusedError, match="a reason of 10 to 500"):
        session_credit(session=session, reason=reason, by=operator)
    assert not Correction.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"energy_wh": 60_000}, "expected 0 to 24,603 Wh"),
        ({"energy_wh": -1}, "expected 0 to"),
        ({"cost_minor": -1}, "a cost of 0 or more"),
        ({"stopped_at": START - timedelta(seconds=1)}, "an end at or after the start"),
    ],
)
def test_figures_that_cannot_be_true_are_refused(
    session: ChargingSession, operator: User, wrong: dict[str, Any], words: str
) -> None:
    with pytest.raises(CorrectionRefusedError, match=words):
        session_correct(session=session, reason=REASON, figures=figures(**wrong), by=operator)
    assert ChargingSession.objects.count() == 1


def test_the_database_itself_refuses_a_second_credit(session: ChargingSession, operator: User) -> None:
    credit = session_credit(session=session, reason=REASON, by=operator)
    credit.pk, credit.transaction_id = uuid.uuid4(), "another"
    with pytest.raises(IntegrityError), transaction.atomic():
        credit.save(force_insert=True)


def test_what_cannot_be_recorded_now_is_not_credited(session: ChargingSession, operator: User, ear: Ear) -> None:
    ear.refuse = RecordingUnavailableError("no data key can be made")
    with pytest.raises(RecordingUnavailableError):
        session_credit(session=session, reason=REASON, by=operator)
    assert ChargingSession.objects.count() == 1 and not Correction.objects.exists()


@pytest.mark.usefixtures("crowd_database")
def test_of_many_who_credit_at_once_one_does() -> None:
    session = in_thread(made)
    operator = in_thread(lambda: User.objects.create_user(uuid.uuid4().hex))

    def press() -> str:
        try:
            session_credit(session=ChargingSession.objects.get(pk=session.pk), reason=REASON, by=operator)
        except CorrectionRefusedError as error:
            return str(error)
        return "done"

    assert sorted(crowd([press] * 6)) == ["done"] + ["it was credited already"] * 5
    its_own = ChargingSession.objects.filter(station=session.station)
    assert sorted(in_thread(lambda: list(its_own.values_list("energy_wh", flat=True)))) == [-7_780, 7_780]


# --- in the admin


def credit_page(session: ChargingSession) -> str:
    return reverse("admin:stations_chargingsession_credit", args=[session.pk])


def words_of(response: Any) -> str:
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def test_the_page_names_the_session_and_shows_the_effect_before(browser: Client, session: ChargingSession) -> None:
    address = reverse("admin:stations_chargingsession_change", args=[session.pk])
    assert "Credit this session" in words_of(browser.get(address))
    form = {"reason": REASON, "anew": "on", "energy": "5.000", "cost": "2.00"}
    form |= {"started_at": "2026-03-01 08:00:00", "stopped_at": "2026-03-01 09:00:00"}
    page = words_of(browser.post(credit_page(session), form))
    assert "Credit session T1 of anna?" in page and str(session.pk) in page
    assert all(figure in page for figure in ("-7.78", "-3.12", "5.00", "2.00"))
    assert ChargingSession.objects.count() == 1  # nothing yet
    done = browser.post(credit_page(session), form | {"confirmed": "yes"}, follow=True)
    correction = Correction.objects.get()
    assert correction.replacement is not None and correction.replacement.energy_wh == 5_000
    page = words_of(done)
    assert "This session was credited" in page and REASON in page and "Credit this session" not in page
    again = words_of(browser.post(credit_page(session), form | {"confirmed": "yes"}))
    assert "it was credited already" in again and ChargingSession.objects.count() == 3
    logged = LogEntry.objects.filter(object_id=str(session.pk)).get()
    assert REASON in json.loads(logged.change_message)[0]["changed"]["words"]
    assert LogEntry.objects.count() == 3


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"reason": "short"}, "at least 10 characters"),
        ({"reason": ""}, "This field is required"),
        ({"anew": "on", "energy": ""}, "because the charge is recorded anew"),
        ({"anew": "on", "energy": "5.0001"}, "no more than 3 decimal places"),
        ({"anew": "on", "energy": "NaN"}, "Enter a number"),
        ({"anew": "on", "energy": "-1"}, "greater than or equal to 0"),
        ({"anew": "on", "cost": "1.001"}, "no more than 2 decimal places"),
        ({"anew": "on", "started_at": "yesterday"}, "Expected a time such as"),
        ({"anew": "on", "energy": "999", "confirmed": "yes"}, "what this connector can give in that time"),
    ],
)
def test_what_is_typed_wrongly_is_said_and_nothing_lost(
    browser: Client, session: ChargingSession, wrong: dict[str, str], words: str
) -> None:
    form = {"reason": REASON, "energy": "5", "cost": "2"}
    form |= {"started_at": "2026-03-01 08:00:00", "stopped_at": "2026-03-01 09:00:00"}
    page = words_of(browser.post(credit_page(session), form | wrong))
    assert words in page
    assert "2026-03-01 09:00:00" in page
    assert not Correction.objects.exists()


def test_only_who_may_can_credit(session: ChargingSession) -> None:
    auditor = User.objects.create_user("axel")
    roles_set(user=auditor, roles=[Role.AUDITOR])
    for person in (auditor, User.objects.get(username="anna"), User.objects.create_user("ben")):
        client = Client()
        log_in(client, person)
        for answer in (
            client.get(credit_page(session)),
            client.post(credit_page(session), {"reason": REASON, "confirmed": "yes"}),
        ):
            assert answer.status_code in {302, 403, 404}
    assert not Correction.objects.exists()


def test_the_driver_reads_what_happened_and_why(session: ChargingSession, operator: User) -> None:
    credit, anew = session_correct(session=session, reason=REASON, figures=figures(), by=operator)
    anna, ben = Client(), Client()
    log_in(anna, User.objects.get(username="anna"))
    log_in(ben, User.objects.create_user("ben"))
    for one, words in ((session, "was taken back"), (credit, "This is a credit"), (anew, "a corrected session")):
        page = words_of(anna.get(reverse("session", args=[one.pk])))
        assert words in page and REASON in page
        for other in {session, credit, anew} - {one}:
            assert reverse("session", args=[other.pk]) in page
        assert ben.get(reverse("session", args=[one.pk])).status_code == 404
    assert refusal(session) == "it was credited already"
