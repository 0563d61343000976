"""What this package holds of a person, for the archive: the profile, what hangs on the account, and who looked."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from django.db import models
from django.db.models import Model
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.models import AccessLogEntry, User
from accounts.privacy.archive import Chunks, Section, section_add
from accounts.privacy.own_erasure import belongings

# Secrets that the person has, or that nobody can read: they prove who somebody is, and say nothing else.
SECRET_PARTS = frozenset({"password", "secret", "hash", "credential", "salt", "key", "digest"})
# The archive is not in the archive; its being made would be the newest thing in it.
LEFT_OUT = frozenset({"accounts.archive"})


def json_text(content: Any) -> str:
    """Indented, with what JSON does not know as text."""
    return json.dumps(content, ensure_ascii=False, indent=2, default=_plain) + "\n"


def json_list(items: Iterator[Any]) -> Iterator[str]:
    """A JSON list, item by item."""
    before = "[\n"
    for item in items:
        yield before + json.dumps(item, ensure_ascii=False, default=_plain)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)


def row_content(row: Model) -> dict[str, Any]:
    """The row's fields, without secrets and bytes."""
    return {
        field.name: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if not isinstance(field, models.BinaryField) and not SECRET_PARTS & set(field.name.split("_"))
    }


# --- the profile


def profile_files(user: User) -> Iterator[tuple[str, Chunks]]:
    """The account's row, without secrets."""
    yield "profile.json", [json_text(row_content(user))]


def profile_holds(user: User) -> str:
    """In a sentence."""
    return str(_("your account: name, e-mail address, language and time zone, roles, and when you logged in last"))


# --- what hangs on the account


def belongings_files(user: User) -> Iterator[tuple[str, Chunks]]:
    """One file a kind of what hangs on the account; none where there is nothing."""
    for model, field in belongings():
        if model._meta.label_lower in LEFT_OUT:
            continue
        rows = model._default_manager.filter(**{field: user.pk}).order_by("pk")
        if rows.exists():
            yield f"account/{model._meta.model_name}.json", json_list(row_content(row) for row in rows.iterator())


def belongings_holds(user: User) -> str:
    """In a sentence."""
    return str(_("what belongs to your account: sign-ins, devices, and tokens for programs, without their secrets"))


# --- who looked


def looks_files(user: User) -> Iterator[tuple[str, Chunks]]:
    """The access log, as far as it is about them."""
    looks = AccessLogEntry.objects.filter(customer=user).order_by("at", "pk")
    names = ("at", "viewer_name", "what", "subject", "reason")
    yield "access-log.json", json_list(looks.values(*names).iterator())


def looks_holds(user: User) -> str:
    """How many looks, in words."""
    count = AccessLogEntry.objects.filter(customer=user).count()
    if not count:
        return str(_("no looks of others at your data"))
    text = ngettext("%(count)d look of somebody else at your data", "%(count)d looks of others at your data", count)
    return text % {"count": count}


def add_sections() -> None:
    """To be called when Django starts."""
    profile = _("profile.json: your account.")
    section_add(Section("profile", profile, profile_holds, profile_files))
    account = _("account/: what belongs to your account, one file a kind (sign-ins, devices, tokens); without secrets.")
    section_add(Section("belongings", account, belongings_holds, belongings_files))
    looks = _("access-log.json: who else looked at your data, when, at what and why.")
    section_add(Section("looks", looks, looks_holds, looks_files))
