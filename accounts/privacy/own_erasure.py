"""What this package forgets when an account is erased: all that hangs on it, its name in the logs, at last its name."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db import models, transaction
from django.db.models import CharField, Q, Value
from django.db.models.functions import Cast, Concat

from accounts.models import AccessLogEntry, Erasure, User
from accounts.privacy.erasure import Step, step_add

# Hangs on the person by the letter, but is what they did as staff, or says what was done here.
KEPT_MODELS = frozenset({"admin.logentry"})


def belongings() -> Iterator[tuple[type[models.Model], str]]:
    """(model, its field) of all that is a person's own and goes with them: whatever would be deleted with their row.

    So a new model is covered by itself: sign-ins, devices, API tokens, archives, and whatever comes.
    """
    for relation in User._meta.related_objects:
        if relation.on_delete is models.CASCADE and relation.related_model._meta.label_lower not in KEPT_MODELS:
            yield relation.related_model, relation.field.name


def belongings_forget(erasure: Erasure) -> None:
    """What hangs on the account, its groups, and every session of it."""
    for model, field in belongings():
        model._default_manager.filter(**{field: erasure.customer_id}).delete()
    erasure.customer.groups.clear()
    erasure.customer.user_permissions.clear()
    for session in Session.objects.iterator():
        if session.get_decoded().get("_auth_user_id") == str(erasure.customer_id):
            session.delete()


def looks_forget(erasure: Erasure) -> None:
    """The access log keeps that there was a look, under the pseudonym; reasons in words may name the person."""
    pseudonym, customer = erasure.pseudonym, erasure.customer_id
    AccessLogEntry.objects.filter(viewer=customer).update(viewer_name=pseudonym)
    about = AccessLogEntry.objects.filter(customer=customer).exclude(reason="").exclude(reason__startswith="erased ")
    # Different still, as the unique constraint wants it
    about.update(reason=Concat(Value("erased "), Cast("pk", CharField())))


@transaction.atomic
def person_forget(erasure: Erasure) -> None:
    """The row stays, under the pseudonym; nobody can log in with it, and the same `sub` begins with a new one."""
    customer = User.objects.select_for_update().get(pk=erasure.customer_id)
    if customer.username == erasure.pseudonym:
        return
    log_forget(words=[customer.username, customer.email], pseudonym=erasure.pseudonym)
    for field in User._meta.concrete_fields:
        if not field.primary_key and field.name not in {"date_joined", "is_active"}:
            setattr(customer, field.attname, None if field.null else field.get_default())
    customer.username, customer.is_active = erasure.pseudonym, False
    customer.set_unusable_password()
    customer.save()
    erasure.customer = customer


# --- the change log of the admin


def log_forget(*, words: Iterable[str], pseudonym: str) -> None:
    """Put the pseudonym in place of these words (names, card numbers) in the admin's log; each of them as a whole."""
    for word in filter(None, words):
        pattern = re.compile(rf"(?<![\w@.+-]){re.escape(word)}(?![\w@+-]|\.\w)")
        for entry in LogEntry.objects.filter(Q(object_repr__contains=word) | Q(change_message__contains=_json(word))):
            repr_, message = (
                pattern.sub(pseudonym, entry.object_repr),
                _message(entry.change_message, pattern, pseudonym),
            )
            LogEntry.objects.filter(pk=entry.pk).update(object_repr=repr_, change_message=message)


def _json(word: str) -> str:
    """The word as it stands inside of JSON: with its letters escaped."""
    return json.dumps(word)[1:-1]


def _message(text: str, pattern: re.Pattern[str], pseudonym: str) -> str:
    try:
        return json.dumps(_replaced(json.loads(text), pattern, pseudonym))
    except ValueError:  # a text, as Django allows it
        return pattern.sub(pseudonym, text)


def _replaced(value: Any, pattern: re.Pattern[str], pseudonym: str) -> Any:
    """The same with the pseudonym in its texts; names of fields stay, or the log could not be read any more."""
    if isinstance(value, dict):
        kept = {"field", "fields", "name"}
        return {name: item if name in kept else _replaced(item, pattern, pseudonym) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, pattern, pseudonym) for item in value]
    return pattern.sub(pseudonym, value) if isinstance(value, str) else value


def add_steps() -> None:
    """To be called when Django starts."""
    step_add(Step("belongings", 50, belongings_forget))
    step_add(Step("looks", 60, looks_forget))
    step_add(Step("person", 90, person_forget))
