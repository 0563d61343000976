"""The partner's own OCPI interface, as far as the registration needs it: its versions and its endpoints.

The only place that calls addresses which partners name. Unless the settings say otherwise they have to be https and
public (common/outgoing/), so that nobody makes the portal ask its own network; redirects are not followed.
"""

import base64
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from common.outgoing.addresses import AddressRefused, Target, resolve
from common.outgoing.asking import Asker, NoAnswer, Patience
from stations.ocpi.errors import EndpointsMissing, PeerUnusable, VersionUnsupported
from stations.ocpi.forms import Version

PATIENCE = Patience(5.0, 5.0, 20.0)
BODY_MAX_BYTES = 262_144
ENDPOINTS_MAX = 100


def endpoints_fetch(*, url: str, token: str, version: Version) -> list[dict[str, str]]:
    """The endpoints of the partner's `version`, as `[{"identifier", "role", "url"}]`.

    Raises PeerUnusable, VersionUnsupported, or EndpointsMissing where not even credentials are among them.
    """
    versions = _list(get(url, token), "its versions")
    details = next((told.get("url") for told in versions if told.get("version") == version), None)
    if not isinstance(details, str):
        raise VersionUnsupported(f"expected {version} among your versions")
    found = get(details, token)
    endpoints = _list(found.get("endpoints") if isinstance(found, dict) else None, "its endpoints")
    known = [
        {name: str(endpoint.get(name, ""))[:255] for name in ("identifier", "role", "url")} for endpoint in endpoints
    ]
    if not any(endpoint["identifier"] == "credentials" for endpoint in known):
        raise EndpointsMissing("expected the module credentials among your endpoints")
    return known


def get(url: str, token: str) -> Any:
    """The `data` of an OCPI response there; raises PeerUnusable."""
    headers = {
        "Authorization": "Token " + base64.b64encode(token.encode()).decode(),
        "X-Request-ID": str(uuid.uuid4()),
        "X-Correlation-ID": str(uuid.uuid4()),
    }
    with _unusable_if_it_fails(url):
        with Asker(strangers=True) as asker:
            target = _target(url)
            found = asker.ask("GET", url, target=target, headers=headers, patience=PATIENCE, most=BODY_MAX_BYTES)
        if found.status != 200:
            raise ValueError(f"HTTP {found.status}")
        answer = found.json()
        if not isinstance(answer, dict) or answer.get("status_code") != 1000:
            raise ValueError("no OCPI response with status_code 1000")
        return answer.get("data")


def _target(url: str) -> Target:
    if settings.OCPI_PARTNER_URLS == "any":
        parts = urlsplit(url)
        return Target(url, parts.hostname or "", parts.netloc.rpartition("@")[2])
    return resolve(url)


@contextmanager
def _unusable_if_it_fails(url: str) -> Iterator[None]:
    try:
        yield
    except AddressRefused as error:
        raise PeerUnusable(f"your interface at {url}: {error}") from error
    except (NoAnswer, ValueError) as error:
        reason = str(error) if type(error) in {ValueError, NoAnswer} else type(error).__name__
        raise PeerUnusable(f"your interface at {url} does not answer as expected: {reason}") from error


def _list(data: Any, what: str) -> list[dict[str, Any]]:
    if not isinstance(data, list) or len(data) > ENDPOINTS_MAX or not all(isinstance(item, dict) for item in data):
        raise PeerUnusable(f"expected a list of {what}")
    return data
