"""The tokens that we show at our partners: encrypted where they are stored (accounts/sealed_text.py)."""

from accounts.resealing import Column, column_add
from accounts.sealed_text import seal_bytes, sealed_bytes_anew, unseal_bytes
from stations.ocpi.models import OcpiPartner

PURPOSE = "evportal ocpi tokens"


def seal(token: str) -> bytes:
    return seal_bytes(token.encode(), purpose=PURPOSE)


def unseal(sealed: bytes) -> str:
    """The token; raises SealedTextError."""
    return unseal_bytes(sealed, purpose=PURPOSE).decode()


def add_column() -> None:
    column_add(Column("tokens at OCPI partners", OcpiPartner, "token_sealed", _anew))


def _anew(partner: OcpiPartner) -> bytes | None:
    sealed = bytes(partner.token_sealed)
    return sealed_bytes_anew(sealed, purpose=PURPOSE) if sealed else None
