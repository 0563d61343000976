"""Commands in the admin: what a station can be asked, forms, what is confirmed, outcomes, several at once."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from accounts.models import Role
from stations.admin import tables
from stations.commands.asking import command_ask
from stations.commands.form import CommandForm
from stations.commands.kinds import KINDS, kinds_of
from stations.models import Command, IdToken, Station
from tests.people import browser_of, person
from tests.stations.commands.examples import examples

pytestmark = pytest.mark.django_db


@pytest.fixture
def station(connector: Any) -> Station:
    found: Station = connector.station
    Station.objects.filter(pk=found.pk).update(ocpp_version="1.6", connection="x", connected_at=timezone.now())
    found.refresh_from_db()
    return found


@pytest.fixture
def operator(db: None) -> Client:
    return browser_of(person("olga", Role.OPERATOR))


def address(station: Station, kind: str = "") -> str:
    return f"/admin/stations/station/{station.pk}/commands/{f'{kind}/' if kind else ''}"


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    found: str = answer.content.decode()
    return found


def test_the_panel_offers_what_the_version_knows(station: Station, operator: Client) -> None:
    page = text(operator.get(address(station)))
    assert "connected over OCPP 1.6" in page
    for kind in KINDS.values():
        offered = not kind.own and "1.6" in kind.actions
        assert (f'href="{address(station, kind.name)}"' in page) == offered, kind.name
    change = text(operator.get(f"/admin/stations/station/{station.pk}/change/"))
    assert f'href="{address(station)}"' in change


def test_a_command_is_asked_and_its_page_follows_it(station: Station, operator: Client) -> None:
    form = text(operator.get(address(station, "change_availability")))
    assert "There are: 1" in form
    wrong = text(operator.post(address(station, "change_availability"), {"wait": "3600", "evse_id": "0"}))
    assert "This field is required." in wrong and "greater than or equal to 1" in wrong and 'value="0"' in wrong
    asked = operator.post(
        address(station, "change_availability"), {"operative": "false", "evse_id": "1", "wait": "3600"}
    )
    command = Command.objects.get()
    assert asked["Location"] == f"/admin/stations/command/{command.pk}/change/"
    assert command.params == {"operative": False, "evse_id": 1}
    assert command.user is not None and command.by == Command.By.OPERATOR
    assert "Asked: change_availability" in LogEntry.objects.get().change_message
    page = text(operator.get(asked["Location"]))
    assert "data-progress" in page and "waiting for the station" in page and "Cancel this command" in page
    now = timezone.now()
    Command.objects.update(
        state="REJECTED", sent_at=now, answered_at=now, answer={"status": "Rejected"}, words="Rejected"
    )
    page = text(operator.get(asked["Location"]))
    assert "data-progress" not in page and "&quot;status&quot;: &quot;Rejected&quot;" in page


def test_what_cannot_be_undone_is_asked_once_more(station: Station, operator: Client) -> None:
    entered = {"type": "hard", "wait": "120"}
    page = text(operator.post(address(station, "reset"), entered))
    assert "Charges that go on may end." in page and not Command.objects.exists()
    page = text(operator.post(address(station, "reset"), entered | {"change": "yes"}))
    assert '<option value="hard" selected>' in page and not Command.objects.exists()
    operator.post(address(station, "reset"), entered | {"confirmed": "yes"})
    assert Command.objects.get().params == {"type": "hard"}


def test_a_command_that_waits_can_be_cancelled(station: Station, operator: Client) -> None:
    command = command_ask(station=station, kind="clear_cache")
    where = f"/admin/stations/command/{command.pk}/cancel/"
    assert operator.get(where).status_code == 405
    assert "It is cancelled." in text(operator.post(where, follow=True))
    assert "It was sent already, or is over." in text(operator.post(where, follow=True))
    command.refresh_from_db()
    assert command.state == Command.State.CANCELLED


def test_several_are_asked_together(station: Station, operator: Client) -> None:
    other = Station.objects.create(site=station.site, identity="CP-NEW", ocpp_version="2.0.1")
    off = Station.objects.create(site=station.site, identity="CP-OFF", enabled=False)
    chosen = [str(one.pk) for one in (station, other, off)]
    action = {"action": "ask_together", "_selected_action": chosen}
    together = operator.post("/admin/stations/station/", action)["Location"]
    page = text(operator.get(together))
    assert "CP-NEW (2.0.1, away)" in page and "kind=reset" in page and "kind=unlock" not in page
    where = f"{together}&kind=reset"
    assert "Yes, do it" in text(operator.post(where, {"type": "soft", "wait": "120"}))
    assert not Command.objects.exists()
    done = operator.post(where, {"type": "soft", "wait": "120", "confirmed": "yes"})
    assert sorted(Command.objects.values_list("station__identity", flat=True)) == ["CP-HARBOUR-1", "CP-NEW"]
    page = text(operator.get(done["Location"]))
    assert "CP-OFF: It cannot be asked: the station is switched off here" in page
    assert "0 of 2 are over." in page and "data-progress" in page


def test_an_auditor_reads_and_asks_nothing(station: Station) -> None:
    auditor = browser_of(person("audrey", Role.AUDITOR))
    command = command_ask(station=station, kind="set_credential", params={"sealed": "gAAAsecret"})
    assert "kinds" not in text(auditor.get(address(station)))
    assert auditor.get(address(station, "reset")).status_code == 403
    assert auditor.post(f"/admin/stations/command/{command.pk}/cancel/").status_code == 403
    page = text(auditor.get(f"/admin/stations/command/{command.pk}/change/"))
    assert "gAAA" not in page and "Cancel this command" not in page
    assert "CP-HARBOUR-1" in text(auditor.get("/admin/stations/command/?q=harbour"))


def test_what_people_do_not_ask_has_no_form(station: Station, operator: Client) -> None:
    assert operator.get(address(station, "set_credential")).status_code == 404
    assert operator.get(address(station, "reboot")).status_code == 404
    assert operator.get("/admin/stations/station/commands/together/?station=999&station=x").status_code == 404


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1", ""])
def test_each_form_gives_what_the_table_asks_for(version: str) -> None:
    """What programs send as JSON can be entered, all of it."""
    for kind in kinds_of(version):
        for params in examples(kind, version):
            form = CommandForm(kind, entered(kind.params, params) | {"wait": "120"}, version=version)
            if kind.name in ("change_configuration", "set_variables"):
                continue
            assert form.is_valid(), (kind.name, form.errors, params)
            assert form.params == params, kind.name


def entered(params: Any, values: dict[str, Any], before: str = "") -> dict[str, Any]:
    """As an operator types it."""
    found: dict[str, Any] = {}
    for param in params:
        value, path = values.get(param.name), f"{before}{param.name}"
        if value is None:
            continue
        match param.type.value:
            case "object":
                found |= entered(param.members, value, f"{path}.")
            case "objects":
                lines = [[written(one.get(member.name)) for member in param.members] for one in value]
                found[path] = "\r\n".join(", ".join(line) for line in lines)
            case "texts" | "integers":
                found[path] = ", ".join(map(str, value))
            case "moment":
                found[path] = value.removesuffix("Z").replace("T", " ")
            case _:
                found[path] = written(value) if not isinstance(value, list) else value
    return found


def written(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def test_what_is_wrong_in_a_line_is_said_there() -> None:
    kind = KINDS["get_variables"]
    form = CommandForm(kind, {"variables": "OCPPCommCtrlr", "wait": "120"}, version="2.1")
    assert not form.is_valid()
    assert form.errors["variables"] == ["0.variable: is required"]


def test_stations_hear_of_a_blocked_card_at_once(
    operator: Client, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(tables, "announce", told.append)
    card = IdToken.objects.create(uid="04A1")
    with django_capture_on_commit_callbacks(execute=True):
        answer = operator.post(f"/admin/stations/idtoken/{card.pk}/change/", {"blocked": "on"})
    assert answer.status_code == 302, answer.content.decode()
    card.refresh_from_db()
    assert card.blocked and told == ["stations.tasks.local_lists_renew"]
