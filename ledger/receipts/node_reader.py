"""One node of the chain as a witness for receipts (ledger.receipts.witness.Node): it speaks for itself, never for
another node.

Its answers are read strictly (strict_json), within limits of size and time, and it is known where it is: two names may
be one node.
"""

import hashlib
import ipaddress
import socket
import time
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from common import strict_json
from common.outgoing.asking import Asker, NoAnswer, Patience
from common.strict_json import StrictJsonError
from ledger.receipts.witness import NodeError, NoSuchTable, Place

# somebody waits for the page: a node that hangs is given up sooner than by a worker
CONNECT_S, READ_S = 2.0, 4.0
NODE_S = 20  # for all answers of one node
ANSWER_MAX = 32 * 1024 * 1024
NO_SUCH_TABLE = 3060003  # contract_table_query_exception


@lru_cache(maxsize=1)
def _asker() -> Asker:
    """One a process."""
    return Asker()


class NodeReader:
    """Asks one node, for one check: the time that the node has begins with the first question."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._certificate = ""

    @cached_property
    def _deadline(self) -> float:
        return time.monotonic() + NODE_S

    def ask(self, call: str, body: Mapping[str, Any]) -> Any:
        status, data = self.post(call, body)
        if not 200 <= status < 300:
            raise NoSuchTable("no such table") if _is_no_such_table(status, data) else NodeError(f"HTTP {status}")
        try:
            return strict_json.loads(data, most=ANSWER_MAX)
        except StrictJsonError as error:
            raise NodeError(f"{call}: {error}") from error

    def post(self, call: str, body: Mapping[str, Any]) -> tuple[int, bytes]:
        """Status and body; raises NodeError."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise NodeError(f"no more answers after {NODE_S} s")
        patience = Patience(CONNECT_S, READ_S, left)
        try:
            answer = _asker().ask(
                "POST", f"{self.url}/v1/chain/{call}", json=dict(body), patience=patience, most=ANSWER_MAX
            )
        except NoAnswer as error:
            raise NodeError(str(error)) from error
        if answer.certificate:
            self._certificate = hashlib.sha256(answer.certificate).hexdigest()
        return answer.status, answer.content

    @cached_property
    def _place(self) -> Place:
        return place_of(self.url)

    def place(self) -> Place:
        return Place(self._place.addresses, self._place.port, self._certificate)


def _is_no_such_table(status: int, data: bytes) -> bool:
    try:
        found = strict_json.loads(data, most=ANSWER_MAX)
    except StrictJsonError:
        return False
    error = found.get("error") if isinstance(found, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return status == 500 and type(code) is int and code == NO_SUCH_TABLE


def place_of(url: str) -> Place:
    """Resolve the URL's host. One that has no address is itself: it will not answer either."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port or (443 if parts.scheme == "https" else 80)
        found = [] if host == "localhost" else socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (ValueError, OSError):  # no URL; no such name
        return Place(frozenset({url}), 0)
    addresses = {_address(str(item[4][0])) for item in found}
    return Place(frozenset(addresses or {"127.0.0.1"}), port)


def _address(text: str) -> str:
    """One spelling for each address, and one for this machine."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return "127.0.0.1" if address == ipaddress.ip_address("::1") or address.is_unspecified else str(address)


def readers() -> list[NodeReader]:
    """The nodes of the settings, for one check."""
    return [NodeReader(url) for url in settings.LEDGER_NODES]
