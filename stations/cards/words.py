"""What cards and contracts are called on pages."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from stations.models import IdToken

TOKENS: dict[str, Promise] = {
    IdToken.Type.ISO14443.value: _("card"),
    IdToken.Type.ISO15693.value: _("card"),
    IdToken.Type.E_MAID.value: _("contract"),
    IdToken.Type.CENTRAL.value: _("app"),
    IdToken.Type.KEY_CODE.value: _("key code"),
    IdToken.Type.LOCAL.value: _("at the station"),
    **dict.fromkeys((IdToken.Type.MAC_ADDRESS.value, IdToken.Type.EVCC_ID.value, IdToken.Type.VIN.value), _("car")),
    IdToken.Type.DIRECT_PAYMENT.value: _("payment terminal"),
}


def token_name(kind: str, uid: str) -> str:
    """A token of that type (IdToken.Type): ("ISO14443", "04A2B3") -> "card 04A2B3"."""
    return f"{TOKENS.get(kind, kind)} {uid}"
