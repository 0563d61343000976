"""What this package keeps sealed, and how it is sealed anew after SECRET_KEY was changed."""

from accounts.models import Authenticator, IdempotentAnswer
from common import sealed_text
from common.resealing import Column, column_add


def add_columns() -> None:
    column_add(Column("keys of authenticators", Authenticator, "key", lambda row: row.key_anew()))
    column_add(Column("answers kept for a day", IdempotentAnswer, "answer", _answer_anew))


def _answer_anew(row: IdempotentAnswer) -> str | None:
    return sealed_text.sealed_anew(row.answer) if row.answer else None
