"""What stations answer about their configuration, kept as StationVariable."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils import timezone

from stations.metering.registering import Told, variables_told
from stations.models import Station, StationVariable

SECRET = StationVariable.SECRET
ALONE = ("component", "component_instance", "evse_id", "connector_id", "variable", "instance", "attribute")


def variable_note(station: Station, *, variable: str, value: str, mutability: str = "", **where: Any) -> None:
    """Keep one value. `where`: component, component_instance, instance, evse_id, connector_id, attribute."""
    if variable.lower() in SECRET or mutability == "WriteOnly":
        return
    named = {name: content for name, content in where.items() if content not in (None, "")}
    found = {"value": value, "reported_at": timezone.now()}
    if mutability:
        found["mutability"] = mutability
    StationVariable.objects.update_or_create(station=station, variable=variable, **_all(named), defaults=found)
    variables_told(station, [Told(named.get("component", ""), variable, named.get("evse_id", 0), value)])


def _all(named: Mapping[str, Any]) -> dict[str, Any]:
    empty = {"component": "", "component_instance": "", "evse_id": 0, "connector_id": 0, "instance": ""}
    return {**empty, "attribute": "Actual", **named}


def keys_note(station: Station, keys: Iterable[Mapping[str, Any]]) -> None:
    """Configuration keys of OCPP 1.6, as GetConfiguration answers them; all at once, as there may be hundreds."""
    now = timezone.now()
    rows = {
        key["key"]: StationVariable(
            station=station,
            variable=key["key"],
            value=str(key.get("value", "")),
            mutability="ReadOnly" if key.get("readonly") else "ReadWrite",
            reported_at=now,
        )
        for key in keys
        if key["key"].lower() not in SECRET
    }
    StationVariable.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["station", *ALONE],
        update_fields=["value", "mutability", "reported_at"],
    )
    variables_told(station, [Told("", row.variable, 0, row.value) for row in rows.values()])
