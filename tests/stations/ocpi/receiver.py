"""A provider's own OCPI platform, small but real: an HTTP server with versions and details, and a client that pulls."""

import base64
import json
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2

from tests.stations.ocpi import schema


class Receiver:
    """The provider DE 8AC. `answers` may be changed to make it behave badly; `heard` are the tokens it was shown."""

    def __init__(self) -> None:
        self.token_b = f"b-{uuid.uuid4()}"
        self.token_c = ""
        self.heard: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.answers: dict[str, Any] = {
            "/versions": [{"version": "2.1.1", "url": "x"}, {"version": "2.2.1", "url": f"{self.address}/2.2.1"}],
            "/2.2.1": {"version": "2.2.1", "endpoints": [self._endpoint("credentials"), self._endpoint("cdrs")]},
        }
        self.status, self.raw = 200, b""
        self._thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()

    def _endpoint(self, module: str) -> dict[str, str]:
        return {"identifier": module, "role": "RECEIVER", "url": f"{self.address}/2.2.1/{module}"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                token = base64.b64decode(self.headers["Authorization"].removeprefix("Token ")).decode()
                receiver.heard.append(token)
                found = receiver.answers.get(self.path)
                known = token == receiver.token_b and found is not None
                self.send_response(receiver.status if known else 401)
                self.end_headers()
                self.wfile.write(receiver.raw or json.dumps(receiver.envelope(found)).encode())

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler

    def envelope(self, found: Any) -> dict[str, Any]:
        return {"data": found, "status_code": 1000, "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}

    # --- as a client

    def credentials(self, **changes: Any) -> dict[str, Any]:
        details = {"name": "Eight volts"}
        roles = [{"role": "EMSP", "country_code": "DE", "party_id": "8AC", "business_details": details}]
        return {"token": self.token_b, "url": f"{self.address}/versions", "roles": roles} | changes

    def call(self, method: str, url: str, token: str, body: Any = None) -> httpx2.Response:
        headers = {
            "Authorization": "Token " + base64.b64encode(token.encode()).decode(),
            "X-Request-ID": str(uuid.uuid4()),
            "X-Correlation-ID": str(uuid.uuid4()),
        }
        return httpx2.request(method, url, headers=headers, json=body, timeout=60)

    def data(self, method: str, url: str, token: str, body: Any = None) -> Any:
        answer = self.call(method, url, token, body)
        found = json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)
        schema.check(schema.ENVELOPE, found)
        assert (answer.status_code, found["status_code"]) == (200, 1000), answer.text
        return found.get("data")

    def endpoints(self, versions_url: str, token: str) -> dict[str, str]:
        """The other side's endpoints of 2.2.1 by module: versions first, then details, as the handshake does it."""
        versions = self.data("GET", versions_url, token)
        url = next(one["url"] for one in versions if one["version"] == "2.2.1")
        details = self.data("GET", url, token)
        schema.check(schema.DETAILS, details)
        return {one["identifier"]: one["url"] for one in details["endpoints"]}

    def register(self, versions_url: str, token_a: str) -> dict[str, str]:
        """The whole handshake; afterwards token C is known. Returns the endpoints."""
        endpoints = self.endpoints(versions_url, token_a)
        theirs = self.data("POST", endpoints["credentials"], token_a, self.credentials())
        schema.check(schema.CREDENTIALS, theirs)
        self.token_c = theirs["token"]
        return self.endpoints(theirs["url"], self.token_c)

    def pages(self, url: str) -> Iterator[list[dict[str, Any]]]:
        """The lists of all pages, by the Link of each."""
        while url:
            answer = self.call("GET", url, self.token_c)
            found = json.loads(answer.text, parse_float=Decimal, parse_int=Decimal)
            assert found["status_code"] == 1000, answer.text
            yield found["data"]
            url = answer.links.get("next", {}).get("url", "")
