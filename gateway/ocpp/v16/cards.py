"""What every answer about a card says in OCPP 1.6 (IdTagInfo)."""

from typing import TYPE_CHECKING

from gateway.ocpp.times import time_text

if TYPE_CHECKING:
    from gateway.calls import Authorization

ID_TAG_MAX = 20


def id_tag_info(allowed: "Authorization") -> dict[str, str]:
    """As the station keeps it in its cache."""
    info = {"status": allowed.status.value}
    if allowed.expires_at is not None:
        info["expiryDate"] = time_text(allowed.expires_at)
    if allowed.group and len(allowed.group) <= ID_TAG_MAX:  # a longer one fits 2.x only; cut, it would be another's
        info["parentIdTag"] = allowed.group
    return info
