"""PURE: where a sampled value was measured, and which of several places counts for the charge.

OCPP's Location: the outlet's values are those of the charge, and the default. Where a station reads nothing there but
at its inlet, that is taken. What cable, body and vehicle say (a temperature, a voltage behind the cable) would stand
for another value, and is set aside; the state of charge is the vehicle's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from stations.charging.vocabulary import Aside, Sample, sample_read

INLET = "inlet"


@dataclass(frozen=True)
class Located:
    """A sample and what was said of it."""

    sample: Sample
    said: Mapping[str, Any]


def located_read(said: Mapping[str, Any], sampled_at: datetime) -> Located:
    """What a station said of one value; raises NotUnderstood as sample_read."""
    location = said.get("location")
    if not isinstance(location, str) or location.strip().lower() != INLET:
        return Located(sample_read(said, sampled_at), said)
    sample = sample_read({name: value for name, value in said.items() if name != "location"}, sampled_at)
    return Located(replace(sample, at_inlet=True), said)


def chosen(found: Sequence[Located]) -> tuple[list[Sample], list[Aside]]:
    """Of one moment: the samples that count, and the inlet's where the outlet's own are there."""
    if not any(one.sample.at_inlet for one in found):
        return [one.sample for one in found], []
    outlet = {one.sample.key for one in found if not one.sample.at_inlet}
    taken: list[Sample] = []
    asides: list[Aside] = []
    for one in found:
        if one.sample.at_inlet and one.sample.key in outlet:
            reason = "location: the outlet's own value was told with it, and counts"
            asides.append(Aside("location 'Inlet'", reason, dict(one.said)))
        else:
            taken.append(one.sample)
    return taken, asides
