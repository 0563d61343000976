"""Nodes that are ill: proxies in front of the real one that answer as gateways, full or standing nodes do."""

import hashlib
import json
import random
import threading

from tests.ledger.chain.proxy import Answer, Proxy

BUSY = {"code": 429, "message": "Busy", "error": {"code": 429, "name": "Busy", "what": "Busy", "details": []}}
NOBODY: dict[str, tuple[int, object]] = {
    "full": (429, BUSY),
    "unavailable": (503, {"code": 503, "message": "Service Unavailable"}),
    "maintenance": (200, {"status": "maintenance"}),
    "without API": (404, {"code": 404, "message": "Not Found", "error": {"code": 0}}),
}
STANDS_STILL = "stands still"
ILLNESSES = (*NOBODY, STANDS_STILL)


class IllProxy(Proxy):
    """`illness` is what it has now, "" when it is well. One that stands still takes transactions, and tells nobody."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.illness = ""
        self._stood_at: Answer | None = None

    def fall_ill(self, illness: str) -> None:
        self._stood_at = super().answer("POST", "/v1/chain/get_info", b"{}") if illness == STANDS_STILL else None
        self.illness = illness

    def answer(self, method: str, path: str, body: bytes) -> Answer | None:
        self.calls.clear()  # nobody looks at them, for minutes
        call = path.rsplit("/", 1)[-1]
        if self.illness in NOBODY:
            status, content = NOBODY[self.illness]
            return status, json.dumps(content).encode()
        if self.illness == STANDS_STILL and call == "get_info":
            return self._stood_at
        if self.illness == STANDS_STILL and call == "get_transaction_status":
            return 200, b'{"state": "LOCALLY_APPLIED"}'
        if self.illness == STANDS_STILL and call == "send_transaction2":
            packed = bytes.fromhex(json.loads(body)["transaction"]["packed_trx"])
            return 202, json.dumps({"transaction_id": hashlib.sha256(packed).hexdigest()}).encode()
        return super().answer(method, path, body)


class Illnesses:
    """Makes one of the nodes ill for a while, again and again, on a thread of its own."""

    def __init__(self, proxies: list[IllProxy], rng: random.Random) -> None:
        self.proxies, self.met = proxies, dict.fromkeys(ILLNESSES, 0)
        self._rng = rng
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._rng.uniform(0, 5)):
            proxy, illness = self._rng.choice(self.proxies), self._rng.choice(ILLNESSES)
            proxy.fall_ill(illness)
            self.met[illness] += 1
            # Longer than it takes to notice that one stands still, now and then.
            self._ended.wait(self._rng.choice([3, 8, 45] if illness == STANDS_STILL else [1, 4, 10]))
            proxy.fall_ill("")
