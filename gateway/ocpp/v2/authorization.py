"""May this card or contract charge here? OCPP 2.x Authorize."""

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.v2.tokens import id_token_info, token_read


def authorize(call: Call) -> Answer:
    """By the card's own row. A contract's certificate is believed where the station has checked it itself.

    `iso15118CertificateHashData`: the station has checked the chain and asks for its revocation, which would have to be
    asked of others; nothing is said of it (no `certificateStatus`). `certificate`: the station leaves the chain to us,
    who have no root of contracts: it is refused.
    """
    said = call.payload["idToken"]
    token = token_read(said)
    if "certificate" in call.payload and "iso15118CertificateHashData" not in call.payload:
        return Answer({"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "CertChainError"})
    found = calls.authorize(call.station, token, starting=True) if token else None
    return Answer({"idTokenInfo": id_token_info(said, found)})
