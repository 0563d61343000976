"""How a station connects: address, credential, subprotocol, and for wss:// its certificates."""

import base64
import random
import ssl
import tempfile
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from dev.stations.device.wire import SUBPROTOCOLS

if TYPE_CHECKING:
    from dev.stations.station import Station

MESSAGE_MAX_BYTES = 1024 * 1024


def connected(station: "Station") -> AbstractAsyncContextManager[ClientConnection]:
    """A new connection; raises what `websockets` raises when it is refused."""
    ping = station.settings.number("ping_s")
    url = random.choice(station.urls)  # noqa: S311 - as a balancer would
    return connect(
        f"{url.rstrip('/')}/{quote(station.told.identity, safe='')}",
        subprotocols=[Subprotocol(SUBPROTOCOLS[station.told.version])],
        additional_headers={"Authorization": basic(station.told.identity, station.state.credential)},
        ssl=_context(station) if url.startswith("wss:") else None,
        ping_interval=ping or None,
        open_timeout=station.timeout_s,
        close_timeout=1.0,
        max_size=MESSAGE_MAX_BYTES,
        proxy=None,
        compression=None,
    )


def basic(identity: str, credential: str) -> str:
    """The header of HTTP Basic (RFC 7617), for security profiles 1 and 2."""
    return "Basic " + base64.b64encode(f"{identity}:{credential}".encode()).decode()


def _context(station: "Station") -> ssl.SSLContext:
    """Trust in the roots that were installed, and the certificate that the station got, if it did (profile 3)."""
    context = ssl.create_default_context(cafile=str(station.ca) if station.ca else None)
    for kept in station.state.certificates:
        if kept["type"] in ("CSMSRootCertificate", "CentralSystemRootCertificate"):
            context.load_verify_locations(cadata=kept["pem"])
    if station.state.chain:
        with tempfile.TemporaryDirectory() as folder:  # ssl reads keys from files only
            path = Path(folder) / "station.pem"
            path.touch(mode=0o600)
            path.write_text(station.state.private_key + station.state.chain)
            context.load_cert_chain(path)
    return context
