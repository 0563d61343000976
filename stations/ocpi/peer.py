"""The partner's own OCPI interface, as far as the registration needs it: its versions and its endpoints.

The only place that calls addresses which partners name. Unless the settings say otherwise they have to be https and
public (common/outgoing.py), so that nobody makes the portal ask its own network; redirects are not followed.
"""

import base64
import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2
from django.conf import settings

from common.outgoing import AddressRefused, Target, authorities, resolve
from stations.ocpi.errors import EndpointsMissing, PeerUnusable, VersionUnsupported

VERSION = "2.2.1"
TIMEOUT_S = 5.0
WHOLE_ANSWER_S = 20.0  # from the first to the last byte: the time-out is one for each of them
BODY_MAX_BYTES = 262_144
ENDPOINTS_MAX = 100


def endpoints_fetch(*, url: str, token: str) -> list[dict[str, str]]:
    """The endpoints of the partner's 2.2.1, as `[{"identifier", "role", "url"}]`.

    Raises PeerUnusable, VersionUnsupported, or EndpointsMissing where not even credentials are among them.
    """
    versions = _list(get(url, token), "its versions")
    details = next((version.get("url") for version in versions if version.get("version") == VERSION), None)
    if not isinstance(details, str):
        raise VersionUnsupported(f"expected {VERSION} among your versions")
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
        answer = json.loads(_body(_target(url), headers))
        if not isinstance(answer, dict) or answer.get("status_code") != 1000:
            raise ValueError("no OCPI response with status_code 1000")
        return answer.get("data")


def _target(url: str) -> Target:
    if settings.OCPI_PARTNER_URLS == "any":
        parts = urlsplit(url)
        return Target(url, parts.hostname or "", parts.netloc.rpartition("@")[2])
    return resolve(url)


def _body(target: Target, headers: dict[str, str]) -> bytes:
    body, until = b"", time.monotonic() + WHOLE_ANSWER_S
    with (
        httpx2.Client(verify=authorities(), trust_env=False, timeout=TIMEOUT_S, follow_redirects=False) as client,
        client.stream(
            "GET",
            target.url,
            headers=headers | {"Host": target.netloc},
            extensions={"sni_hostname": target.host},
        ) as response,
    ):
        if response.status_code != 200:
            raise ValueError(f"HTTP {response.status_code}")
        for chunk in response.iter_bytes():
            body += chunk
            if time.monotonic() > until:
                raise ValueError(f"not whole after {WHOLE_ANSWER_S} s")
            if len(body) > BODY_MAX_BYTES:
                raise ValueError(f"more than {BODY_MAX_BYTES} bytes")
    return body


@contextmanager
def _unusable_if_it_fails(url: str) -> Iterator[None]:
    try:
        yield
    except AddressRefused as error:
        raise PeerUnusable(f"your interface at {url}: {error}") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError, RecursionError) as error:
        reason = str(error) if type(error) is ValueError else type(error).__name__
        raise PeerUnusable(f"your interface at {url} does not answer as expected: {reason}") from error


def _list(data: Any, what: str) -> list[dict[str, Any]]:
    if not isinstance(data, list) or len(data) > ENDPOINTS_MAX or not all(isinstance(item, dict) for item in data):
        raise PeerUnusable(f"expected a list of {what}")
    return data
