"""A node and a portal as HTTP servers, where a real one is unnecessary: what they say can be changed."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.witness.a_log import ALog, root_of
from tests.witness.conftest import NOW

CHAIN_ID = "ab" * 32
_BUNDLE = re.compile(r"/log/tile/entries/((?:x\d{3}/)*\d{3})(?:\.p/(\d+))?")


class StandIn:
    """What its answers are made of. `rows`: ledger id to digest; `log`: (size, root, upto, block)."""

    def __init__(self) -> None:
        self.rows: dict[int, bytes] = {}
        self.log: tuple[int, bytes, int, int] | None = None
        self.head, self.irreversible, self.floor, self.time = 100, 99, 0, NOW
        self.chain_id, self.status, self.page = CHAIN_ID, 200, 1000
        self.published: ALog | None = None
        self.asked: list[str] = []
        self.url = ""

    def get(self, path: str) -> tuple[int, bytes]:
        """The answer to GET."""
        self.asked.append(path)
        if path == "/v1/chain/get_info":
            moment = datetime.fromtimestamp(self.time, UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
            info = {"head_block_num": self.head, "last_irreversible_block_num": self.irreversible}
            return self.status, json.dumps({**info, "chain_id": self.chain_id, "head_block_time": moment}).encode()
        found = _BUNDLE.fullmatch(path)
        if found and self.published:
            number = int(found[1].replace("x", "").replace("/", ""))
            data = self.published.bundle(number, int(found[2] or 256))
            if len(data) == int(found[2] or 256) * 42:
                return self.status, data
        return 404, b"not found"

    def post(self, query: dict[str, Any]) -> tuple[int, bytes]:
        """The answer to get_table_rows."""
        self.asked.append(f"{query['table']} {query.get('lower_bound', '')}".strip())
        rows: list[dict[str, Any]] = []
        more = False
        if query["table"] == "log" and self.log:
            size, root, upto, block = self.log
            rows = [{"size": size, "root": root.hex(), "upto": upto, "block": block}]
        elif query["table"] == "state":
            rows = [{"floor": self.floor, "count": len(self.rows), "last": max(self.rows, default=0)}]
        elif query["table"] == "records":
            first, last = int(query["lower_bound"]), int(query.get("upper_bound", 2**64))
            ids = [ledger_id for ledger_id in sorted(self.rows) if first <= ledger_id <= last]
            limit = min(self.page, query["limit"])
            more = len(ids) > limit
            rows = [{"id": ledger_id, "digest": self.rows[ledger_id].hex()} for ledger_id in ids[:limit]]
        return self.status, json.dumps({"rows": rows, "more": more, "next_key": ""}).encode()

    def record(self, log: ALog, *, upto: int | None = None, block: int | None = None) -> None:
        """The chain has what the log has, and its checkpoint."""
        self.rows |= {int.from_bytes(leaf[:8], "big"): leaf[8:] for leaf in log.leaves}
        self.checkpoint(log, upto=upto, block=block)

    def checkpoint(self, log: ALog, *, upto: int | None = None, block: int | None = None) -> None:
        """The log's row says what the log says."""
        self.log = (len(log.leaves), root_of(log.leaves), upto or self.irreversible, block or self.irreversible)


@contextmanager
def served(stand_in: StandIn) -> Iterator[StandIn]:
    """Listens until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._send(*stand_in.get(self.path))

        def do_POST(self) -> None:
            self._send(*stand_in.post(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

        def _send(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *values: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stand_in.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield stand_in
        finally:
            server.shutdown()
            thread.join()
