"""A witness on a port of this machine, by C2SP tlog-witness, that can be told to behave badly."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ledger.log import tree
from tests.ledger.log.operator import WitnessKey


class Witness:
    """Remembers size and root, and signs what goes on from there. `answer` is said instead where it is set."""

    def __init__(self, name: str = "witness.test/w1") -> None:
        self.key = WitnessKey(name)
        self.size, self.root = 0, tree.EMPTY_ROOT
        self.asked: list[str] = []
        self.answer: tuple[int, bytes] | None = None
        self.seconds: int | None = None
        self.status: Any = None
        witness = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                assert self.path == "/here/add-checkpoint"
                witness.asked.append(body)
                self._say(*(witness.answer or witness.judge(body)))

            def do_GET(self) -> None:
                found = witness.status is not None and self.path == "/here/status"
                self._say(200 if found else 404, json.dumps(witness.status).encode())

            def _say(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/here"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def judge(self, body: str) -> tuple[int, bytes]:
        head, _, note = body.partition("\n\n")
        old, *proof = head.split("\n")
        _, size, root = note.split("\n")[:3]
        said, new, new_root = int(old.removeprefix("old ")), int(size), base64.b64decode(root)
        if said != self.size:
            return 409, f"{self.size}\n".encode()
        if new == self.size and new_root != self.root:
            return 409, b"another root\n"
        try:
            tree.check_consistency(said, self.root, new, new_root, [base64.b64decode(line) for line in proof])
        except tree.ProofError as error:
            return 422, f"{error}\n".encode()
        self.size, self.root = new, new_root
        return 200, self.key.line(note, self.seconds).encode()
