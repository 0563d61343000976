"""The tokens that we show at our partners: encrypted where they are stored (common/sealed_text.py)."""

from common.resealing import Column, column_add
from common.sealed_text import seal_bytes, sealed_bytes_anew, unseal_bytes
from stations.models.ocpi import OcpiPartner

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
