"""Asks the TPM service as its clients do, while its TPM is in trouble: what may be answered, how long it took.

`World` is what all clients of a run know together, `Asking` one of them.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tpm.verifier.evidence import Pinned, SignedManifest

REFUSALS = {  # what may be answered when the TPM is in trouble
    (429, "queue_full"),
    (429, "request_in_progress"),
    (503, "tpm_unavailable"),
    (503, "tpm_no_memory"),
    (504, "queue_deadline"),
}
LOCKED_OUT = (423, "tpm_lockout")
REFUSAL_CODES = {code for _, code in (*REFUSALS, LOCKED_OUT)} | {"not_well"}
TIMEOUT_S = 30  # longer than any answer may take, to see how long it did
EVENT_PCRS = (16, 23)
ZERO = bytes(32)


class WrongAnswerError(Exception):
    """What must never be: a wrong answer, an undocumented one, or none."""


class RefusedError(Exception):
    """The service could not, and said so as documented."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.code = code


def expect(holds: bool, message: str) -> None:
    if not holds:
        raise WrongAnswerError(message)


@dataclass
class World:
    """What all clients know. `starts` counts the TPM's starts, each before it happens: PCRs are zero afterwards."""

    pems: dict[str, str] = field(default_factory=dict)  # public keys of the keys that all use
    eosio: dict[str, str] = field(default_factory=dict)
    identity: dict[str, Any] = field(default_factory=dict)
    manifest: SignedManifest | None = None
    pinned: Pinned | None = None
    measured: bytes = ZERO
    starts: int = 0
    attesting: threading.Lock = field(default_factory=threading.Lock)
    extending: threading.Lock = field(default_factory=threading.Lock)
    pcrs: dict[int, set[bytes]] = field(default_factory=lambda: {pcr: {ZERO} for pcr in EVENT_PCRS})
    pcrs_since: dict[int, int] = field(default_factory=lambda: dict.fromkeys(EVENT_PCRS, 0))
    macs: dict[bytes, str] = field(default_factory=dict)


class Asking:
    """One client: its name, its tokens, how long it waited for the slowest answer, and how its operations ended."""

    def __init__(self, url: str, token: Callable[[], str], client_id: str, *, name: str, world: World) -> None:
        self.name = name
        self.client_id = client_id
        self.world = world
        self.outcomes: Counter[str] = Counter()
        self.longest: tuple[float, str] = 0.0, ""
        self._http = httpx2.Client(base_url=f"{url}/v1", timeout=TIMEOUT_S)
        self._token = token

    def close(self) -> None:
        self._http.close()

    def does(self, operation: Callable[[], None]) -> bool:
        """Do it; returns whether it was answered well, not refused. Raises WrongAnswerError."""
        name = operation.__name__
        try:
            operation()
        except RefusedError as refused:
            self.outcomes[refused.code] += 1
            return False
        except WrongAnswerError as wrong:
            raise WrongAnswerError(f"{name} ({self.name}): {wrong}") from None
        except Exception as error:  # an answer that cannot even be read
            raise WrongAnswerError(f"{name} ({self.name}): {type(error).__name__}: {error}") from error
        self.outcomes[name] += 1
        return True

    def call(self, method: str, path: str, body: object = None, **more: Any) -> dict[str, Any]:
        also = more.pop("also", None)
        answer = self.send(method, path, body, **more)
        if answer.is_success:
            return dict(answer.json()) if answer.content else {}
        try:
            refusal = answer.status_code, str(answer.json()["code"])
        except (ValueError, KeyError):
            raise WrongAnswerError(f"{method} {path}: {answer.status_code} {answer.text[:200]!r}") from None
        if refusal in REFUSALS or refusal == also:
            raise RefusedError(*refusal)
        raise WrongAnswerError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")

    def send(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> httpx2.Response:
        began = time.monotonic()
        try:
            sent = {"Authorization": f"Bearer {self._token()}", **(headers or {})}
            return self._http.request(method, path, json=body, headers=sent)
        except httpx2.HTTPError as error:
            raise WrongAnswerError(f"{method} {path}: no answer ({type(error).__name__}: {error})") from None
        finally:
            took_s = time.monotonic() - began
            if took_s > self.longest[0]:
                self.longest = took_s, f"{method} {path}"
