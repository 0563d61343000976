"""OCPP 1.6: Authorize."""

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.v16.cards import id_tag_info


def authorize(call: Call) -> Answer:
    """May this card charge at this station?"""
    allowed = calls.authorize(call.station, calls.token_ref(call.payload["idTag"]))
    return Answer({"idTagInfo": id_tag_info(allowed)})
