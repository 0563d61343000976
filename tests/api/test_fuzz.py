"""schemathesis finds nothing: `make fuzz-api` is the same for 10,000 cases, with another seed each time."""

import base64
import os
import secrets
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from accounts.programs.scopes import SCOPES
from accounts.programs.tokens import token_make
from dev.trials.fuzz.api import Target, fuzz
from ledger.models import Webhook
from ledger.webhooks.delivery import secret_make
from stations.models import Command, Connector, IdToken, Station
from stations.places.credentials import station_credential_set
from tests.portal.conftest import MakeSession

CASES = int(os.environ.get("FUZZ_API_CASES", "0"))
ALL: dict[str, Any] = {"cases": CASES, "seed": secrets.randbelow(1 << 32)}
SOME: dict[str, Any] = {
    "cases": 100,
    "seed": 20261126,
    "examples": 2,
    "phases": "examples,fuzzing",
}


@pytest.fixture
def target(live_server: Any, make_session: MakeSession, settings: Settings) -> Target:
    """A portal with one of each kind, and nodes that are away."""
    settings.API_RATE_PER_MINUTE = settings.API_COSTLY_PER_MINUTE = 10**9
    admin = User.objects.create_superuser("fuzz")
    _, token = token_make(user=admin, name="fuzz", scopes=SCOPES)
    sessions = [make_session(), make_session(status=None)]
    station = Station.objects.get()
    Connector.objects.create(pk=4711, station=station, evse_id=2)
    IdToken.objects.create(pk=4711, uid="FUZZ")
    Command.objects.create(pk=4711, station=station, kind="clear_cache", valid_until=timezone.now())
    hook = Webhook(user=admin, url="https://192.0.2.1/")
    secret_make(hook=hook)
    hook.save()
    credential = station_credential_set(station=station)
    station_credentials = base64.b64encode(f"{station.identity}:{credential}".encode()).decode()
    return Target(live_server.url, token, station_credentials, (*(str(s.pk) for s in sessions), str(hook.pk)))


@pytest.mark.timeout(3 * 3600)
@pytest.mark.django_db(transaction=True)
def test_every_answer_is_documented(target: Target) -> None:
    assert Client().get(f"{target.url}/api/v1/openapi.json").status_code == 200
    assert fuzz(target, **ALL if CASES else SOME) >= 100
