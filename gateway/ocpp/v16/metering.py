"""PURE: what MeterValues and StopTransaction say was measured (OCPP 1.6 MeterValue, SampledValue), as samples."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from api.forms import described
from stations.charging.located import Located, chosen, located_read
from stations.charging.vocabulary import Aside, NotUnderstood, Sample
from stations.metering.received import is_signed

TimeRead = Callable[[object], datetime]


def read(meter_values: Iterable[Mapping[str, Any]], time_read: TimeRead) -> tuple[list[Sample], list[Aside]]:
    """Samples by the station's own clock, and what is not understood of them; `time_read`: its times.

    Places that are not the outlet, and words of no OCPP are set aside, at the cost of no other value. What is signed is
    no sample (stations/metering/received.py).
    """
    samples: list[Sample] = []
    asides: list[Aside] = []
    for meter_value in meter_values:
        sampled_at = time_read(meter_value.get("timestamp"))
        found: list[Located] = []
        for index, said in enumerate(meter_value.get("sampledValue") or ()):
            if is_signed(said):
                continue
            try:
                found.append(located_read(_trimmed(said), sampled_at))
            except NotUnderstood as error:
                asides.append(Aside(error.subject, str(error), said, index))
        taken, elsewhere = chosen(found)
        samples += taken
        asides += elsewhere
    return samples, asides


def _trimmed(said: Any) -> dict[str, Any]:
    """In 1.6 a value is a text; some stations fill it with blanks."""
    if not isinstance(said, dict):
        raise NotUnderstood("sampledValue", f"sampledValue: expected an object, got {described(said)}")
    value = said.get("value")
    return {**said, "value": value.strip()} if isinstance(value, str) and value != value.strip() else said
