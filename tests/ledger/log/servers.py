"""A log's files and a node of its chain, on ports of this machine: they say what they are told."""

import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ledger.log import tree
from tests.ledger.log.operator import LogKey, root_of

CHAIN_ID = "c" * 64


class Server:
    """Answers GET and POST with what `answer` returns: status and content."""

    def __init__(self) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._say(*server.answer(self.path, {}))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self._say(*server.answer(self.path, body))

            def _say(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        raise NotImplementedError

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def _number(parts: Sequence[str]) -> int:
    return int("".join(part.removeprefix("x") for part in parts))


class LogServer(Server):
    """C2SP tlog-tiles over `entries`; `note` and `entries_shown` are what a liar says instead."""

    def __init__(self, key: LogKey) -> None:
        self.key, self.entries = key, list[bytes]()
        self.note: str | None = None
        self.entries_shown: list[bytes] | None = None
        self.lines = ""  # of witnesses, below the note
        self.gone = 0  # a status for everything
        self.twist: Callable[[str, bytes], bytes] = lambda path, content: content
        super().__init__()
        self.url += "/log"

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        if self.gone:
            return self.gone, b"away"
        parts = path.removeprefix("/log/").split("/")
        if parts == ["checkpoint"]:
            return 200, ((self.note or self.key.note_of(self.entries)) + self.lines).encode()
        content = self._tile(parts[1:])
        return (404, b"") if content is None else (200, self.twist(path, content))

    def _tile(self, parts: list[str]) -> bytes | None:
        level, *parts = parts
        width = 256
        if parts[-2:-1] and parts[-2].endswith(".p"):
            width, parts = int(parts[-1]), [*parts[:-2], parts[-2].removesuffix(".p")]
        number = _number(parts)
        if level == "entries":
            shown = self.entries if self.entries_shown is None else self.entries_shown
            nodes = [len(entry).to_bytes(2, "big") + entry for entry in shown]
        else:
            nodes = [tree.leaf_hash(entry) for entry in self.entries]
            for _ in range(int(level)):
                nodes = [tree.root_of(nodes[at : at + 256]) for at in range(0, len(nodes) - 255, 256)]
        found = nodes[number * 256 : number * 256 + width]
        return b"".join(found) if len(found) == width else None


class NodeServer(Server):
    """The API of one node, as far as a monitor asks it."""

    def __init__(self) -> None:
        self.rows: dict[int, bytes] = {}
        self.log: dict[str, Any] | None = None
        self.head, self.floor, self.away = 1000, 0, False
        super().__init__()

    def record(self, leaves: Sequence[bytes]) -> None:
        self.rows |= {int.from_bytes(leaf[:8], "big"): leaf[8:] for leaf in leaves}

    def checkpoint(self, leaves: Sequence[bytes], upto: int = 900) -> None:
        self.log = {"size": str(len(leaves)), "root": root_of(leaves).hex(), "upto": upto, "block": upto + 1}

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        if self.away:
            return 503, b""
        if path.endswith("get_info"):
            return 200, json.dumps(self._info()).encode()
        assert path.endswith("get_table_rows") and body["code"] == body["scope"] == "evledger"
        more, following = False, ""
        if body["table"] == "log":
            rows: list[Any] = [self.log] if self.log else []
        elif body["table"] == "state":
            last = max(self.rows, default=0)
            rows = [{"floor": str(self.floor), "count": str(len(self.rows)), "last": str(last)}]
        else:
            lower, upper = int(body["lower_bound"] or 0), int(body["upper_bound"] or 2**64 - 1)
            ids = [number for number in sorted(self.rows) if lower <= number <= upper]
            rows = [{"id": str(number), "digest": self.rows[number].hex()} for number in ids[: body["limit"]]]
            more = len(ids) > len(rows)
            following = str(ids[len(rows)]) if more else ""
        return 200, json.dumps({"rows": rows, "more": more, "next_key": following}).encode()

    def _info(self) -> dict[str, Any]:
        time = "2026-12-01T00:00:00.000"
        return {
            "chain_id": CHAIN_ID,
            "head_block_num": self.head,
            "head_block_time": time,
            "last_irreversible_block_num": self.head - 2,
            "last_irreversible_block_id": "0" * 64,
            "last_irreversible_block_time": time,
        }
