"""IdTokenType and IdTokenInfoType: which card or contract was shown, and whether it may charge."""

from collections.abc import Mapping
from typing import Any

from gateway import calls
from gateway.ocpp.times import time_text
from stations.models import IdToken

NOBODY = "NoAuthorization"  # the station asks nobody
UID_MAX = 36
_TYPES = {kind.lower(): kind for kind in IdToken.Type.values}


def token_read(said: Mapping[str, Any] | None) -> calls.TokenRef | None:
    """The token as we can keep it; None where none was shown, and for one whose type or length nobody here knows."""
    if said is None or said["type"] == NOBODY or len(said["idToken"]) > UID_MAX:
        return None
    kind = _TYPES.get(said["type"].lower())
    return calls.token_ref(said["idToken"], kind) if kind else None


def id_token_info(said: Mapping[str, Any], found: calls.Authorization | None) -> dict[str, Any]:
    """The answer about the token that was `said`."""
    if found is None:  # nobody was asked about, or a token that cannot be ours
        return {"status": "Accepted" if said["type"] == NOBODY else "Unknown"}
    unknown = found.status is calls.Status.INVALID and (found.token is None or not found.token.is_known)
    info: dict[str, Any] = {"status": "Unknown" if unknown else found.status.value}
    if found.expires_at is not None:
        info["cacheExpiryDateTime"] = time_text(found.expires_at)
    if found.group:
        info["groupIdToken"] = {"idToken": found.group, "type": IdToken.Type.CENTRAL.value}
    return info
