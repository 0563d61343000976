"""What can be asked of a station, and with which parameters."""

import pytest

from stations.commands.kinds import KINDS, kinds_of, params_checked
from stations.commands.params import ALL, V2, V16, ParamsWrong, Type, walked


def errors_of(kind: str, params: object, version: str = "") -> dict[str, str]:
    with pytest.raises(ParamsWrong) as caught:
        params_checked(KINDS[kind], params, version)
    return caught.value.errors


def test_each_kind_says_what_it_is() -> None:
    for kind in KINDS.values():
        assert kind.versions and set(kind.versions) <= set(ALL), kind.name
        assert str(kind.words) and str(kind.theme)
        paths = [path for path, _ in walked(kind.params)]
        assert len(paths) == len(set(paths)), kind.name
        for path, param in walked(kind.params):
            assert str(param.words), path
            assert bool(param.choices) == (param.type in (Type.CHOICE, Type.CHOICES)), path
            assert bool(param.members) == (param.type in (Type.OBJECT, Type.OBJECTS)), path
            if param.type in (Type.TEXT, Type.TEXTS):
                assert param.maximum, path


def test_each_version_has_its_own() -> None:
    of_16, of_2 = ({kind.name for kind in kinds_of(version)} for version in (V16, V2[0]))
    assert "get_configuration" in of_16 - of_2 and "get_variables" in of_2 - of_16
    assert {"remote_start", "reset", "set_profile"} <= of_16 & of_2
    assert not {"set_credential", "certificate_signed"} & {kind.name for kind in kinds_of("")}


def test_what_is_right_is_kept_in_one_form() -> None:
    given = {"id_token": {"uid": "04A1", "type": "ISO14443"}, "evse_id": 1, "connector_id": None}
    assert params_checked(KINDS["remote_start"], given) == {
        "id_token": {"uid": "04A1", "type": "ISO14443"},
        "evse_id": 1,
    }
    at = {"id_token": {"uid": "04A1"}, "expires_at": "2026-03-01T09:00:00.5+01:00"}
    assert params_checked(KINDS["reserve"], at)["expires_at"] == "2026-03-01T08:00:00Z"


@pytest.mark.parametrize(
    ("kind", "params", "path", "words"),
    [
        ("reset", {}, "type", "is required"),
        ("reset", [], "", "expected an object, got a list of 0"),
        ("reset", {"type": "warm"}, "type", "expected one of soft, hard, immediate, on_idle, got 'warm'"),
        ("reset", {"type": "soft", "now": 1}, "now", "expected only type, evse_id"),
        ("unlock", {"evse_id": True}, "evse_id", "expected a whole number, got true"),
        ("unlock", {"evse_id": 0}, "evse_id", "expected 1 to 100000, got 0"),
        ("change_availability", {"operative": "yes"}, "operative", "expected true or false, got 'yes'"),
        ("remote_start", {"id_token": {"uid": ""}}, "id_token.uid", "expected 1 to 36 characters, got 0"),
        ("remote_start", {"id_token": {"uid": "a\nb"}}, "id_token.uid", "expected printable text"),
        ("get_configuration", {"keys": []}, "keys", "expected a list of 1 to 1000, got a list of 0"),
        ("get_configuration", {"keys": [7]}, "keys.0", "expected text, got 7"),
        ("get_variables", {"variables": [{"component": "C"}]}, "variables.0.variable", "is required"),
        (
            "cost_updated",
            {"transaction_id": "1", "total_cost": float("nan")},
            "total_cost",
            "expected a number, got nan",
        ),
        ("change_configuration", {"key": "authorizationKEY", "value": "x"}, "key", "is set on the station's page"),
        ("get_log", {"type": "security", "location": "ftp://x", "oldest": "2026-02-30T00:00:00Z"}, "oldest", "exist"),
        ("get_log", {"type": "security", "location": "ftp://x", "oldest": "2026-02-03"}, "oldest", "expected a time"),
    ],
)
def test_what_is_wrong_is_named(kind: str, params: object, path: str, words: str) -> None:
    assert words in errors_of(kind, params)[path]


def test_a_version_has_fewer_words() -> None:
    log = {"type": "data_collector", "location": "https://files.example/"}
    assert params_checked(KINDS["get_log"], log, "2.1") == log
    assert "expected one of diagnostics, security" in errors_of("get_log", log, "2.0.1")["type"]
    assert errors_of("reset", {"type": "soft", "evse_id": 1}, "1.6") == {
        "evse_id": "OCPP 1.6 has no such parameter",
    }
