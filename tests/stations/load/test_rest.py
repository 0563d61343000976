"""The limit of a site over the REST API: read and set as a whole, by those who may, in the version that was read."""

from typing import Any

import pytest

from accounts.models import User
from stations.models import Site, SiteLimit
from tests.api.conftest import Caller, caller_for, operator_api, person, problem

__all__ = ["operator_api", "person"]
pytestmark = pytest.mark.django_db
PATH = "sites/S1/limit"
NIGHT = {"weekdays": [5, 1], "starts": "22:00", "ends": "06:00", "amperes": 63}
BODY: dict[str, Any] = {"enabled": True, "amperes": 32, "reserve": 2, "periods": [NIGHT]}
USUAL = {"phases": 3, "reserve": 0, "voltage": 230, "periods": []}


def put(api: Caller, body: Any, **headers: str) -> Any:
    return api.ask("put", PATH, body, **headers)


def test_a_limit_is_read_set_and_set_anew(operator_api: Caller, site: Site) -> None:
    first = operator_api.get(PATH)
    assert first.json() == {"site": "S1", "time_zone": "Europe/Berlin", "enabled": False, "amperes": None, **USUAL}
    problem(put(operator_api, BODY), 428, "precondition_required")
    answer = put(operator_api, BODY, If_Match=first["ETag"])
    assert answer.status_code == 200, answer.content
    expected = first.json() | BODY | {"periods": [NIGHT | {"weekdays": [1, 5]}]}
    assert answer.json() == expected == operator_api.get(PATH).json()
    problem(put(operator_api, BODY, If_Match=first["ETag"]), 412, "precondition_failed")
    again = put(operator_api, {"enabled": False, "amperes": 16}, If_Match=answer["ETag"])
    assert again.json() == first.json() | {"amperes": 16}
    assert SiteLimit.objects.get().periods.count() == 0


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amperes": -1}, "amperes"),
        ({"amperes": 6.5}, "amperes"),
        ({"phases": 2}, "phases"),
        ({"reserve": 33}, "reserve"),
        ({"limit": 1}, ""),
        ({"periods": [NIGHT | {"weekdays": []}]}, "periods.0.weekdays"),
        ({"periods": [NIGHT | {"weekdays": [1, 1]}]}, "periods.0.weekdays"),
        ({"periods": [NIGHT | {"starts": "24:00"}]}, "periods.0.starts"),
        ({"periods": [NIGHT, NIGHT | {"weekdays": [2], "starts": "05:00"}]}, "periods"),
    ],
)
def test_what_cannot_be_meant_changes_nothing(operator_api: Caller, site: Site, wrong: Any, field: str) -> None:
    tag = operator_api.get(PATH)["ETag"]
    body = problem(put(operator_api, BODY | wrong, If_Match=tag), 400, "invalid_request")
    assert field in {error["field"] for error in body["errors"]} or field == "", body
    assert not SiteLimit.objects.exists()


def test_a_driver_sees_no_limit_and_a_stranger_no_site(operator_api: Caller, site: Site, other_customer: User) -> None:
    problem(caller_for(other_customer).get(PATH), 404, "not_found")
    problem(put(caller_for(other_customer), BODY, If_Match="*"), 403, "permission_denied")
    problem(Caller().get(PATH), 401, "not_authenticated")
    problem(operator_api.get("sites/NONE/limit"), 404, "not_found")
