"""A driver's program reads sessions: lists, pages, filters, versions, and what belongs to one session."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from ledger.models import ChainTransaction
from ledger.state.rows import with_record
from portal.rest.serializers import SessionSerializer, record_shown
from stations.models import ChargingSession, IdToken, MeterValue
from tests.api.conftest import Caller, caller_for, problem
from tests.conftest import CloseSessions
from tests.portal.conftest import MakeSession

pytestmark = pytest.mark.django_db


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


def test_a_session_as_its_owner_reads_it(api: Caller, make_session: MakeSession) -> None:
    session = make_session()
    answer = api.get(f"sessions/{session.pk}")
    assert answer.status_code == 200
    shown = answer.json()
    assert shown["energy_wh"] == 7_780 and shown["cost_minor"] == 312 and shown["currency"] == "EUR"
    assert shown["location"] == {"id": "S1", "name": "Harbour office", "country": "DEU", "time_zone": "Europe/Berlin"}
    assert (shown["station"], shown["evse_id"], shown["id_token"]["uid"]) == ("CP-HARBOUR-1", 1, "04A2B3C4D5E680")
    recorded = {"block_num": 1_234_567, "recorded_at": "2026-03-01T08:45:07Z", "state": "recorded", "reason": ""}
    assert shown["ledger"] == recorded | {"ledger_id": session.ledger_entry.pk}
    assert shown == api.get("sessions").json()["results"][0]


@pytest.mark.parametrize("status", [ChainTransaction.Status.IRREVERSIBLE, None])
def test_a_session_is_shown_as_its_document_says(make_session: MakeSession, status: str | None) -> None:
    """The quick way of SessionSerializer against DRF's own, which follows the declared fields one by one."""
    session = make_session(status=status)
    session = with_record(ChargingSession.objects.all()).get(pk=session.pk)
    session.flags, session.tariff = ["zero_energy"], {"id": "T1", "currency": "EUR", "per_kwh": "0.40"}
    serializer: Any = SessionSerializer()
    quick = serializer.to_representation(session)
    assert set(quick) == set(serializer.fields)
    for name in ("record", "counted", "ledger"):  # made, not fields of the row
        setattr(session, name, record_shown(session)[name])
    assert quick == super(SessionSerializer, serializer).to_representation(session)


def test_a_place_with_less_than_all_is_shown(api: Caller, make_session: MakeSession) -> None:
    session = make_session()
    ChargingSession.objects.filter(pk=session.pk).update(location={"name": "Harbour"})
    shown = api.get(f"sessions/{session.pk}").json()
    assert shown["location"] == {"id": "", "name": "Harbour", "country": "", "time_zone": ""}


def test_pages_are_whole_and_stay_so_while_sessions_come(api: Caller, close_sessions: CloseSessions) -> None:
    sessions = close_sessions(7)
    newest_first = [str(session.pk) for session in reversed(sessions)]
    first = api.get("sessions?limit=3")
    assert ids(first) == newest_first[:3] and first.json()["previous"] is None
    ChargingSession.objects.filter(pk=sessions[0].pk)  # and one more comes, newer than all
    newcomer = close_sessions(1)[0]
    ChargingSession.objects.filter(pk=newcomer.pk).update(
        started_at=datetime(2026, 4, 1, tzinfo=UTC), stopped_at=datetime(2026, 4, 1, 1, tzinfo=UTC)
    )
    second = api.get(first.json()["next"])
    assert ids(second) == newest_first[3:6]
    third = api.get(second.json()["next"])
    assert ids(third) == newest_first[6:] and third.json()["next"] is None
    assert ids(api.get(third.json()["previous"])) == newest_first[3:6]
    back = api.get(api.get(third.json()["previous"]).json()["previous"])
    assert ids(back) == newest_first[:3]
    assert ids(api.get(back.json()["previous"])) == [str(newcomer.pk)]


def test_sessions_of_one_moment_are_each_listed_once(api: Caller, close_sessions: CloseSessions) -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    close_sessions(9)
    ChargingSession.objects.update(started_at=moment)
    for order in ("started_at", "-started_at"):
        seen, address = [], f"sessions?limit=2&order={order}"
        while address:
            answer = api.get(address)
            seen += ids(answer)
            address = answer.json()["next"]
        assert len(seen) == len(set(seen)) == 9


def test_the_number_of_queries_is_small_and_does_not_grow(api: Caller, close_sessions: CloseSessions) -> None:
    close_sessions(2)
    api.get("sessions")  # notes that the token was used
    with CaptureQueriesContext(
        connection,
    ) as few:
        api.get("sessions?limit=100")
    close_sessions(100)
    with CaptureQueriesContext(connection) as many:
        assert len(ids(api.get("sessions?limit=100"))) == 100
    assert len(few) == len(many) <= 3, many.captured_queries


def test_filters(api: Caller, make_session: MakeSession, close_sessions: CloseSessions, owner: User) -> None:
    recorded, pending = make_session(), make_session(status=None)
    IdToken.objects.create(uid="OTHER", customer=owner)
    start = recorded.started_at
    assert ids(api.get("sessions?ledger_state=recorded")) == [str(recorded.pk)]
    assert ids(api.get("sessions?ledger_state=pending")) == [str(pending.pk)]
    assert ids(api.get("sessions?ledger_state=none")) == []
    assert ids(api.get("sessions?site=S1&station=CP-HARBOUR-1&token=04A2B3C4D5E680&status=COMPLETED&limit=1"))
    assert ids(api.get("sessions?site=S2")) == ids(api.get("sessions?token=OTHER")) == []
    later = (start + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert ids(api.get(f"sessions?date_from={later}")) == []
    assert len(ids(api.get(f"sessions?date_to={later}"))) == 2
    assert len(ids(api.get("sessions?date_to=2026-03-01T09:00:01%2B01:00"))) == 2


@pytest.mark.parametrize(
    "query",
    [
        *(
            "date_from=yesterday",
            "date_from=2026-01-01",
            "date_from=0001-01-01T00:00:00%2B10:00",
            "date_to=2026-13-01T00:00:00Z",
        ),
        *("site=%00", "site=" + "9" * 70, "status=DONE", "ledger_state=IRREVERSIBLE", "order=energy", "sit=S1"),
        *("limit=0", "limit=201", "limit=ten", "limit=", "limit=" + "9" * 5000, "limit=%D9%A3"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(api: Caller, query: str) -> None:
    problem(api.get(f"sessions?{query}"), 400, "invalid_request")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%00",
        "bnVsbA",
        "W10",
        "WyJhZnRlciJd",
        "WyJhZnRlciIsIngiLCJ5Il0",
        "WyJhZnRlciIsIDEsIDJd",
        "A" * 5000,
        "%C3%A4",
    ],
)
def test_a_cursor_that_we_did_not_make_is_refused(api: Caller, cursor: str) -> None:
    problem(api.get(f"sessions?cursor={cursor}"), 400, "cursor_invalid")


def test_who_has_this_version_already_is_not_sent_it_again(api: Caller, make_session: MakeSession) -> None:
    session = make_session(status=None)
    for path in ("sessions", f"sessions/{session.pk}"):
        first = api.get(path)
        again = api.get(path, If_None_Match=first["ETag"])
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        assert again["RateLimit-Limit"] and "Authorization" in again["Vary"]
        assert api.get(path, If_None_Match='"other"').status_code == 200
    ChargingSession.objects.filter(pk=session.pk).update(stop_reason="Local")
    assert api.get(f"sessions/{session.pk}", If_None_Match=first["ETag"]).status_code == 200


def test_meter_values(api: Caller, other_api: Caller, make_session: MakeSession) -> None:
    session = make_session()
    start = session.started_at
    for minute in range(3):
        moment = start + timedelta(minutes=minute)
        MeterValue.objects.create(session=session, sampled_at=moment, value=Decimal("41234567.2500"))
    first = api.get(f"sessions/{session.pk}/meter-values?limit=2").json()
    sample = {"measurand": "Energy.Active.Import.Register", "unit": "Wh", "phase": "", "context": "Sample.Periodic"}
    assert first["results"][0] == {"sampled_at": "2026-03-01T08:00:00Z", "value": "41234567.25"} | sample
    assert len(api.get(first["next"]).json()["results"]) == 1
    problem(other_api.get(f"sessions/{session.pk}/meter-values"), 404, "not_found")


def test_the_record_in_exact_terms(api: Caller, make_session: MakeSession) -> None:
    session = make_session()
    shown = api.get(f"sessions/{session.pk}/ledger").json()
    assert (shown["state"], shown["status"], shown["label"]) == ("recorded", "IRREVERSIBLE", "Recorded")
    assert shown["digest"] == bytes(session.ledger_entry.digest).hex()
    assert shown["block_id"].startswith("0012d687") and shown["chain_id"] == "c" * 64
    ChargingSession.objects.filter(pk=session.pk).update(energy_wh=1)
    changed = api.get(f"sessions/{session.pk}/ledger").json()
    assert changed["state"] == api.get("sessions").json()["results"][0]["ledger"]["state"] == "mismatch"
    assert "energy" in changed["reason"]


def test_what_is_not_recorded_yet_has_no_receipt(api: Caller, make_session: MakeSession) -> None:
    session = make_session(status=None)
    for what in ("receipt", "proof"):
        problem(api.get(f"sessions/{session.pk}/{what}"), 409, "not_recorded")


def test_a_receipt_and_a_proof_while_no_node_answers(api: Caller, make_session: MakeSession) -> None:
    session = make_session()
    receipt = api.get(f"sessions/{session.pk}/receipt").json()
    assert receipt["format"] == "evportal-receipt/2" and receipt["record"]["energy_wh"] == 7_780
    proof = api.get(f"sessions/{session.pk}/proof").json()
    assert proof["verdict"] != "VERIFIED" and [step["number"] for step in proof["steps"]] == list(range(1, 13))


def test_statements_add_up_months(owner: User, close_sessions: CloseSessions) -> None:
    close_sessions(3)
    api = caller_for(owner, ["statements.read"])
    month = {"month": "2026-03", "sessions": 3, "energy_wh": 23_340, "costs": [{"cost_minor": 936, "currency": "EUR"}]}
    month |= {"differing": 0, "left_out": 0}
    assert api.get("statements").json() == {"time_zone": "Europe/Berlin", "months": [month]}


def test_the_ledger_while_no_node_answers(api: Caller, make_session: MakeSession) -> None:
    make_session(status=None), make_session(status="SENT"), make_session()
    shown = api.get("ledger").json()
    assert (shown["backlog"], shown["transactions"], shown["head_block_num"]) == (2, {"SENT": 1}, None)
    assert shown["oldest_open_s"] >= 0
