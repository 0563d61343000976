"""OCPP 1.6: Authorize."""

from collections.abc import Sequence

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.v16.cards import id_tag_info


def authorize(call: Call) -> Answer:
    """May this card charge at this station?"""
    return authorize_many([call])[0]


def authorize_many(together: Sequence[Call]) -> list[Answer]:
    """The same of many."""
    asked = [(call.station, calls.token_ref(call.payload["idTag"])) for call in together]
    return [Answer({"idTagInfo": id_tag_info(allowed)}) for allowed in calls.authorize_many(asked)]
