"""May this card or contract charge here? OCPP 2.x Authorize."""

from collections.abc import Sequence

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.v2.tokens import id_token_info, token_read


def authorize(call: Call) -> Answer:
    """By the card's own row. A contract's certificate is believed where the station has checked it itself.

    `iso15118CertificateHashData`: the station has checked the chain and asks for its revocation, which would have to be
    asked of others; nothing is said of it (no `certificateStatus`). `certificate`: the station leaves the chain to us,
    who have no root of contracts: it is refused.
    """
    return authorize_many([call])[0]


def authorize_many(together: Sequence[Call]) -> list[Answer]:
    """The same of many."""
    shown = {place: token for place, call in enumerate(together) if (token := token_read(call.payload["idToken"]))}
    asked = [(together[place].station, token) for place, token in shown.items()]
    found = dict(zip(shown, calls.authorize_many(asked, starting=True), strict=True))
    return [_answer(call, found.get(place)) for place, call in enumerate(together)]


def _answer(call: Call, found: calls.Authorization | None) -> Answer:
    if "certificate" in call.payload and "iso15118CertificateHashData" not in call.payload:
        return Answer({"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "CertChainError"})
    return Answer({"idTokenInfo": id_token_info(call.payload["idToken"], found)})
