"""The portal's client of the TPM service.

TpmError
├── TpmUnavailable   try again later: no connection, timeout, no token, 423, 429, 5xx
└── TpmRefused       the same request will be refused again: other 4xx, or an answer that is none
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from common.outgoing.asking import Answer, Asker, NoAnswer, Patience
from tpm.errors import TokenError

RETRY_LATER = {423, 429}
MAX_ANSWER_BYTES = 32 * 1024 * 1024  # evidence and manifest of 50,000 files have less
WHOLE_ANSWER_S = 20.0  # from the first to the last byte: the timeout is one for each of them

Read = TypeVar("Read")


class TpmError(Exception):
    """The service did not do what was asked. `code` is the service's, or `connection`, `timeout`, `token`, `answer`."""

    permanent: bool

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class TpmUnavailable(TpmError):
    permanent = False


class TpmRefused(TpmError):
    permanent = True


@dataclass(frozen=True)
class Key:
    """A key that never leaves its TPM; `created_at` is UTC. A public form that its type does not have is empty."""

    name: str
    type: str
    usage: str
    public_key_eosio: str
    public_key_pem: str
    created_at: datetime


class TpmClient:
    """Speaks to one TPM service; keeps its connections, and threads may share it. Every method raises TpmError."""

    def __init__(self, base_url: str, token: Callable[[], str], *, timeout_s: float = 5.0) -> None:
        self._token = token
        self._base_url, self._timeout_s = base_url.rstrip("/") + "/v1", timeout_s
        self._asker = Asker()

    def close(self) -> None:
        """Close the kept connections; the client is of no use any more."""
        self._asker.close()

    def key_create(self, name: str, *, policy: str | None = None) -> Key:
        """Make a P-256 signing key, or return the one of this name that is there.

        With the policy `release` only an approved release of the service can use it.
        """
        body = {"name": name, "type": "ecc-p256", "usage": "sign", "policy": policy}
        return _read(self._call("POST", "/keys", body), _key)

    def key_get(self, name: str) -> Key:
        """Return the key of this name; raises TpmRefused (`key_not_found`) without one."""
        return _read(self._call("GET", f"/keys/{name}"), _key)

    def key_list(self) -> list[Key]:
        """Return all keys of the service, ordered by name."""
        return _read(self._call("GET", "/keys"), lambda answer: [_key(item) for item in answer["keys"]])

    def key_delete(self, name: str) -> None:
        """Delete the key for ever."""
        self._call("DELETE", f"/keys/{name}")

    def sign(self, key: str, digest: bytes, *, format: str = "eosio") -> str:
        """Sign a digest of 32 bytes; returns `SIG_R1_…`, or with `der` the signature in base64."""
        return _read(self._call("POST", f"/keys/{key}/sign", _item(digest, format)), _signature)

    def sign_batch(self, key: str, digests: Sequence[bytes], *, format: str = "eosio") -> list[str]:
        """Sign up to 256 digests in one request; raises when any of them is refused."""
        answer = self._call("POST", f"/keys/{key}/sign", {"batch": [_item(d, format) for d in digests]})
        return _read(answer, lambda answer: _signatures(answer["results"], len(digests)))

    def random(self, count: int) -> bytes:
        """Return 1 to 1024 bytes of the TPM's random number generator."""
        return _read(self._call("POST", "/random", {"bytes": count}), lambda answer: _bytes(answer["random"]))

    def seal(self, name: str, data: bytes, *, policy: str | None = None) -> None:
        """Keep 1 to 32,768 bytes that only this TPM opens; the same again is fine, other data is refused."""
        self._call("PUT", f"/sealed/{name}", {"data": base64.b64encode(data).decode(), "policy": policy})

    def unseal(self, name: str) -> bytes:
        """Return what the object holds, 1 to 32,768 bytes; raises TpmRefused (`sealed_not_found`), TpmUnavailable."""
        return _read(self._call("POST", f"/sealed/{name}/unseal"), lambda answer: _bytes(answer["data"]))

    def sealed_delete(self, name: str) -> None:
        """Destroy a sealed object for ever."""
        self._call("DELETE", f"/sealed/{name}")

    def identity(self) -> dict[str, Any]:
        """Return who the TPM says it is: `ek` {public, certificate}, `ak` {public, name, public_key_pem}, and words."""
        return self._call("GET", "/identity")

    def activate(self, credential_blob: bytes, secret: bytes) -> bytes:
        """Have the TPM open a credential made for its EK and AK (TPM2_ActivateCredential); returns what was in it."""
        body = {"credential_blob": base64.b64encode(credential_blob).decode()}
        answer = self._call("POST", "/identity/activate", {**body, "secret": base64.b64encode(secret).decode()})
        return _read(answer, lambda answer: _bytes(answer["credential"]))

    def attest(self, nonce: bytes, pcrs: Sequence[int], *, audit: tuple[int, str] | None = None) -> dict[str, Any]:
        """Return fresh evidence over these PCRs, for `tpm/verifier/attestation.py` to judge; the nonce has 32 bytes.

        `audit` is the entry of the log of key uses (sequence, hash) that was the newest one before: the evidence then
        says whether the log still holds it. A service that is too old to know of it is asked without.
        """
        body: dict[str, Any] = {"nonce": base64.b64encode(nonce).decode(), "pcrs": list(pcrs)}
        if audit is None:
            return self._call("POST", "/attestations", body)
        try:
            return self._call("POST", "/attestations", body | {"audit": {"sequence": audit[0], "hash": audit[1]}})
        except TpmRefused as error:
            if error.code != "invalid_request":
                raise
        return self._call("POST", "/attestations", body)

    def manifest(self) -> dict[str, Any]:
        """Return the release manifest that the service says it runs, and the release key's signature."""
        return self._call("GET", "/manifest")

    def certify(self, key: str, nonce: bytes) -> dict[str, Any]:
        """Return the AK's statement that this key was made in its TPM and cannot leave it (TPM2_Certify)."""
        return self._call("POST", f"/keys/{key}/certify", {"nonce": base64.b64encode(nonce).decode()})

    def health(self) -> dict[str, Any]:
        """Return what the service says of itself, without a token:

        `{"live": true, "tpm": "ok" | "unavailable", "integrity": "verified" | "failed" | "unmeasured"}`
        """
        answer = self._send("GET", "/health", None, {})
        if answer.status not in (200, 503):
            raise _problem(answer)
        return _json(answer)

    def _call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        answer = self._send(method, path, body, self._authorization())
        if answer.status == 401 and (forget := getattr(self._token, "forget", None)):
            forget()  # the provider changed its keys before the token expired: once more with a new one
            answer = self._send(method, path, body, self._authorization())
        if not answer.is_success:
            raise _problem(answer)
        return _json(answer) if answer.content else {}

    def _authorization(self) -> dict[str, str]:
        try:
            return {"Authorization": f"Bearer {self._token()}"}
        except TokenError as error:
            raise (TpmRefused if error.permanent else TpmUnavailable)("token", str(error)) from error

    def _send(self, method: str, path: str, body: object, headers: dict[str, str]) -> Answer:
        patience = Patience(self._timeout_s, self._timeout_s, max(WHOLE_ANSWER_S, self._timeout_s))
        try:
            return self._asker.ask(
                method, self._base_url + path, json=body, headers=headers, patience=patience, most=MAX_ANSWER_BYTES
            )
        except NoAnswer as error:
            raise TpmUnavailable(error.code, f"{method} {path}: {error}") from error


def _read(answer: dict[str, Any], read: Callable[[dict[str, Any]], Read]) -> Read:
    """Return what `read` finds in the answer; raises TpmUnavailable where it is not there."""
    try:
        return read(answer)
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise TpmUnavailable("answer", f"not in its form: {type(error).__name__}") from error


def _bytes(value: object) -> bytes:
    return base64.b64decode(_text(value), validate=True)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _signature(answer: dict[str, Any]) -> str:
    return _text(answer["signature"])


def _signatures(results: list[dict[str, Any]], count: int) -> list[str]:
    if len(results) != count:
        raise ValueError
    for number, result in enumerate(results):
        if "error" in result:
            status, code = result["error"]["status"], _text(result["error"]["code"])
            raise _refusal(status if type(status) is int else 500, code, f"item {number} of the batch")
    return [_signature(result) for result in results]


def _item(digest: bytes, format: str) -> dict[str, str]:
    return {"digest": base64.b64encode(digest).decode(), "format": format}


def _key(data: dict[str, Any]) -> Key:
    created_at = datetime.fromisoformat(data["created_at"])
    names = ("name", "type", "usage", "public_key_eosio", "public_key_pem")
    return Key(**{name: _text(data[name] or "") for name in names}, created_at=created_at)


def _json(answer: Answer) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError as error:
        raise TpmUnavailable("answer", f"expected JSON with status {answer.status}") from error
    if not isinstance(body, dict):
        raise TpmUnavailable("answer", "expected a JSON object")
    return body


def _problem(answer: Answer) -> TpmError:
    """Return the error for an RFC 9457 problem; a proxy in between may answer something else."""
    try:
        body = answer.json()
        code, detail = str(body["code"]), str(body["detail"])
    except (ValueError, KeyError, TypeError):
        code, detail = "answer", f"expected a problem, got status {answer.status}"
    return _refusal(answer.status, code, detail)


def _refusal(status: int, code: str, detail: str) -> TpmError:
    later = status >= 500 or status in RETRY_LATER
    return (TpmUnavailable if later else TpmRefused)(code, detail)
