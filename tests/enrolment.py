"""The portal knows the tests' TPM service: enrolled for real once a session, then its rows are put into each test's
tables."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Model
from django.utils import timezone
from pytest_django.fixtures import Settings

from dev.parts.tpm_service import TpmStack
from dev.stack.enrolment import ensure_attested, pins_of
from tpm.models import KeyCertification, TpmService
from tpm.register.enrolment import Pins
from tpm.service.release.release_key import public_path

_known: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {}


def pins(stack: TpmStack) -> Pins:
    """What an operator knows of this stack's TPM and release."""
    return pins_of(stack.swtpm.state_dir, public_path(stack.release_key) if stack.measured else None)


def use(stack: TpmStack, settings: Settings) -> None:
    """Make the portal's settings name this stack."""
    settings.TPM_SERVICE_URL = stack.service_url
    settings.TPM_TOKEN_URL = stack.provider.token_url
    settings.TPM_CLIENT_ID = stack.portal.client_id
    settings.TPM_CLIENT_SECRET = stack.portal.client_secret


def enrolled(stack: TpmStack, *, keys: Sequence[str] = ()) -> TpmService:
    """Return the stack's service, attested, with these keys certified; the settings name the stack already."""
    if stack.service_url not in _known:
        service = ensure_attested(stack.service_url, pins(stack), keys=keys)
        rows = KeyCertification.objects.filter(service=service)
        _known[stack.service_url] = _fields(service), [_fields(row) for row in rows]
        return service
    fields, certifications = _known[stack.service_url]
    now = timezone.now()
    times = {"last_attested_at": now, "tried_at": now, "due_at": now + timedelta(minutes=5)}
    service = TpmService.objects.create(**fields | times)
    KeyCertification.objects.bulk_create(KeyCertification(**row | {"service_id": service.pk}) for row in certifications)
    return service


def _fields(row: Model) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields if not field.primary_key}
