"""OCPP 1.6: Authorize, and what every answer about a card says (IdTagInfo)."""

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.times import time_text

ID_TAG_MAX = 20


def authorize(call: Call) -> Answer:
    """May this card charge at this station?"""
    allowed = calls.authorize(call.station, calls.token_ref(call.payload["idTag"]))
    return Answer({"idTagInfo": id_tag_info(allowed)})


def id_tag_info(allowed: calls.Authorization) -> dict[str, str]:
    """As the station keeps it in its cache."""
    info = {"status": allowed.status.value}
    if allowed.expires_at is not None:
        info["expiryDate"] = time_text(allowed.expires_at)
    if allowed.group and len(allowed.group) <= ID_TAG_MAX:  # a longer one fits 2.x only; cut, it would be another's
        info["parentIdTag"] = allowed.group
    return info
