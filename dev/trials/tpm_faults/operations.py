"""What the clients of dev/trials/tpm_faults/main.py do, all resources mixed, and whether each answer is right.

Judged by other implementations than the service's: `cryptography` for signatures, hashlib, the receipts' recovery of
public keys, the portal's verifier for evidence, and what was answered before. A refusal must be one that is documented
for a TPM in trouble. A request whose answer is a refusal may have been done or not (a key, a sealed object): who asked
looks later which; but what was promised must be there, to the byte.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from dev.trials.tpm_faults.asking import (
    EVENT_PCRS,
    LOCKED_OUT,
    ZERO,
    Asking,
    RefusedError,
    World,
    WrongAnswerError,
    expect,
)
from ledger.chain.antelope import public_key_encode, signature_decode
from ledger.chain.p256 import recover
from tpm.verifier.attestation import verify_evidence
from tpm.verifier.certification import Certification, verify_certification
from tpm.verifier.evidence import Accepted, Evidence, IssuedNonce
from tpm.verifier.steps import accepted, reason

BATCH_MAX = 24
OWN_MAX = 8  # keys, and sealed objects, that each client has at a time
HALF_N = ec.SECP256R1().group_order // 2
SERVICE = "https://faults.example"


@dataclass
class Kept:
    """What a client made: what must be there (`sure`), and what may be after a refusal, with None: nothing known."""

    sure: dict[str, Any] = field(default_factory=dict)
    unsure: dict[str, Any] = field(default_factory=dict)


class Caller(Asking):
    """One client on a thread of its own: does operations, checks their answers, and remembers what it was promised."""

    def __init__(
        self, url: str, token: Callable[[], str], client_id: str, *, name: str, world: World, seed: int
    ) -> None:
        super().__init__(url, token, client_id, name=name, world=world)
        self.logged: list[tuple[str, ...]] = []  # client, operation, key, digest: what the log must have
        self.keys = Kept()
        self.sealed = Kept()
        self._rng = Random(seed)  # noqa: S311  a reproducible order, nothing secret
        self._made = 0
        self._operations = {
            self.sign_der: 10, self.sign_jws: 10, self.sign_eosio: 6, self.sign_released: 10, self.sign_twice: 4,
            self.sign_batch: 5, self.sign_rsa: 3, self.sign_frail: 3, self.mac: 8, self.crypt: 3, self.verify: 6,
            self.random: 8, self.hash: 8, self.key_make: 3, self.key_look: 4, self.key_list: 2, self.key_delete: 2,
            self.seal: 4, self.unseal: 8, self.seal_list: 2, self.sealed_delete: 2, self.certify: 3,
            self.identity: 2, self.attest: 3, self.read_pcrs: 3, self.extend: 4, self.health: 4,
        }  # fmt: skip

    def one(self) -> bool:
        """Do one operation; returns whether it was answered well. Raises WrongAnswerError."""
        operation = self._rng.choices(list(self._operations), list(self._operations.values()))[0]
        return self.does(operation)

    # --- signatures

    def sign_der(self) -> None:
        self._check_der("shared", *self._signed("shared", "der"))

    def sign_released(self) -> None:
        self._check_der("released", *self._signed("released", "der"))

    def sign_frail(self) -> None:
        """With a key that was made without noDA: it is the only one that a lockout may stop."""
        self._check_der("frail", *self._signed("frail", "der", also=LOCKED_OUT))

    def sign_jws(self) -> None:
        digest, text = self._signed("shared", "jws")
        raw = base64.urlsafe_b64decode(text + "==")
        expect(len(raw) == 64, "jws: expected 64 bytes")
        self._check_rs("shared", digest, int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))

    def sign_eosio(self) -> None:
        digest, text = self._signed("shared", "eosio")
        _, signature = signature_decode(text)
        found = public_key_encode(recover(digest, signature))
        expect(found == self.world.eosio["shared"], "eosio: another key signed")

    def sign_twice(self) -> None:
        """An Idempotency-Key: again and again until it is answered, and then once more."""
        digest, headers = secrets.token_bytes(32), {"Idempotency-Key": secrets.token_hex(16)}
        answers: list[str] = []
        while len(answers) < 2:
            try:
                answer = self.call("POST", "/keys/shared/sign", _item(digest, "der"), headers=headers)
                answers.append(answer["signature"])
            except RefusedError:
                if answers:
                    raise
                time.sleep(0.1)
        self._must_be_logged("sign", "shared", digest.hex())
        expect(answers[0] == answers[1], "the same Idempotency-Key got another signature")
        self._check_der("shared", digest, answers[0])

    def sign_batch(self) -> None:
        digests = [secrets.token_bytes(32) for _ in range(self._rng.randint(1, BATCH_MAX))]
        key = self._rng.choice(("shared", "released"))
        results = self._sign(key, digests, {"batch": [_item(digest, "der") for digest in digests]})["results"]
        expect(len(results) == len(digests), f"batch: expected {len(digests)} results, got {len(results)}")
        for digest, result in zip(digests, results, strict=True):
            self._check_der(key, digest, result["signature"])

    def sign_rsa(self) -> None:
        form = self._rng.choice(("pkcs1v15", "pss"))
        digest, text = self._signed("rsa", form)
        pss = padding.PSS(padding.MGF1(SHA256()), 32)
        public = load_pem_public_key(self.world.pems["rsa"].encode())
        assert isinstance(public, rsa.RSAPublicKey)
        chosen = padding.PKCS1v15() if form == "pkcs1v15" else pss
        try:
            public.verify(base64.b64decode(text), digest, chosen, Prehashed(SHA256()))
        except InvalidSignature:
            raise WrongAnswerError(f"{form}: not a signature of this digest") from None

    def mac(self) -> None:
        """Few messages, so that the key, which nobody knows, shows by giving the same again."""
        message = f"message {self._rng.randrange(20)}".encode()
        digest = hashlib.sha256(message).digest()
        found = self._sign("mac", [digest], {"data": _b64(message)})["signature"]
        known = self.world.macs.setdefault(message, found)
        expect(found == known and len(base64.b64decode(found)) == 32, "hmac: another value than before")
        expect(list(self.world.macs.values()).count(found) == 1, "hmac: the value of another message")

    def verify(self) -> None:
        digest, signature = self._signed("shared", "der")
        for asked, valid in ((digest, True), (secrets.token_bytes(32), False)):
            body = {**_item(asked, "der"), "signature": signature}
            expect(self.call("POST", "/keys/shared/verify", body)["valid"] is valid, f"verify: expected {valid}")

    def _signed(self, key: str, form: str, *, also: tuple[int, str] | None = None) -> tuple[bytes, str]:
        digest = secrets.token_bytes(32)
        return digest, self._sign(key, [digest], _item(digest, form), also=also)["signature"]

    def _sign(self, key: str, digests: list[bytes], body: object, **more: Any) -> dict[str, Any]:
        answer = self.call("POST", f"/keys/{key}/sign", body, **more)
        self._must_be_logged("sign", key, *(digest.hex() for digest in digests))
        return answer

    def _must_be_logged(self, operation: str, key: str, *digests: str) -> None:
        self.logged += [(self.client_id, operation, key, digest) for digest in digests]

    def _check_der(self, key: str, digest: bytes, text: str) -> None:
        self._check_rs(key, digest, *decode_dss_signature(base64.b64decode(text)))

    def _check_rs(self, key: str, digest: bytes, r: int, s: int) -> None:
        expect(s <= HALF_N, "expected a low s")
        public = load_pem_public_key(self.world.pems[key].encode())
        assert isinstance(public, ec.EllipticCurvePublicKey)
        try:
            public.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(SHA256())))
        except InvalidSignature:
            raise WrongAnswerError(f"not a signature of {key} and this digest") from None

    # --- encryption, random bytes, hashes

    def crypt(self) -> None:
        data = secrets.token_bytes(self._rng.randint(1, 190))
        ciphertext = self.call("POST", "/keys/mail/encrypt", {"data": _b64(data)})["ciphertext"]
        opened = self.call("POST", "/keys/mail/decrypt", {"ciphertext": ciphertext})["data"]
        self._must_be_logged("decrypt", "mail", hashlib.sha256(base64.b64decode(ciphertext)).hexdigest())
        expect(opened == _b64(data), "decrypt: expected what was encrypted")

    def random(self) -> None:
        count = self._rng.randint(16, 200)
        drawn = base64.b64decode(self.call("POST", "/random", {"bytes": count})["random"])
        expect(len(drawn) == count and len(set(drawn)) > 4, f"random: expected {count} random bytes")

    def hash(self) -> None:
        algorithm = self._rng.choice(("sha256", "sha384", "sha512"))
        data = secrets.token_bytes(self._rng.choice((0, 10, 1024, 3000)))
        found = self.call("POST", "/hash", {"algorithm": algorithm, "data": _b64(data)})["digest"]
        expect(found == _b64(hashlib.new(algorithm, data).digest()), f"{algorithm}: another digest")

    # --- keys

    def key_make(self) -> None:
        """A new one, or one that is there: then the answer is the same key."""
        name = self._new_name(self.keys)
        kind, policy = self._rng.choice((("ecc-p256", None), ("ecc-p256", "release"), ("hmac", None)))
        if known := self.keys.sure.get(name):
            kind, policy = known["type"], known["policy"]
        self._promised(self.keys, name, lambda: self._key(name, kind, policy))

    def key_look(self) -> None:
        self._look(self.keys, lambda name: self.call("GET", f"/keys/{name}"))

    def key_list(self) -> None:
        self._listed(self.keys, [key["name"] for key in self.call("GET", "/keys")["keys"]])

    def key_delete(self) -> None:
        self._deleted(self.keys, "/keys")

    def _key(self, name: str, kind: str, policy: str | None) -> dict[str, Any]:
        return self.call("POST", "/keys", {"name": name, "type": kind, "usage": "sign", "policy": policy})

    # --- sealed objects

    def seal(self) -> None:
        name = self._new_name(self.sealed)
        data = secrets.token_bytes(self._rng.choice((1, 32, 128, 129, 2000)))
        data, policy = self.sealed.sure.get(name) or (data, self._rng.choice((None, "release")))

        def put() -> tuple[bytes, str | None]:
            answer = self.call("PUT", f"/sealed/{name}", {"data": _b64(data), "policy": policy})
            expect((answer["size"], answer["policy"]) == (len(data), policy), "seal: another size or policy")
            return data, policy

        self._promised(self.sealed, name, put, if_done=(data, policy))

    def unseal(self) -> None:
        def opened(name: str) -> tuple[bytes, str | None]:
            data = base64.b64decode(self.call("POST", f"/sealed/{name}/unseal")["data"])
            return data, self.call("GET", f"/sealed/{name}")["policy"]

        self._look(self.sealed, opened)

    def seal_list(self) -> None:
        self._listed(self.sealed, [one["name"] for one in self.call("GET", "/sealed")["sealed"]])

    def sealed_delete(self) -> None:
        self._deleted(self.sealed, "/sealed")

    # --- the same for both

    def _new_name(self, kept: Kept) -> str:
        if kept.sure and (len(kept.sure) >= OWN_MAX or self._rng.random() < 0.2):
            return self._rng.choice(list(kept.sure))
        self._made += 1
        return f"{self.name}-{self._made}"

    def _promised(self, kept: Kept, name: str, make: Callable[[], Any], if_done: Any = None) -> None:
        try:
            made = make()
        except RefusedError:
            if name not in kept.sure:
                kept.unsure[name] = if_done
            raise
        expect(kept.sure.get(name, made) == made, f"{name}: another than before")
        kept.sure[name] = made

    def _look(self, kept: Kept, read: Callable[[str], Any]) -> None:
        """See that one is as it was; one of which nothing is sure is there or not, and as it was made."""
        name = self._rng.choice([*kept.unsure, *kept.sure, ""])
        if not name:
            return
        try:
            found = read(name)
        except WrongAnswerError as error:
            expect("404" in str(error) and name in kept.unsure, f"{name}: {error}")
            del kept.unsure[name]
            return
        expected = kept.sure.get(name) or kept.unsure.pop(name, None) or found
        expect(found == expected, f"{name} is not what it was")
        kept.sure[name] = found

    def _listed(self, kept: Kept, names: list[str]) -> None:
        mine = {name for name in names if name.startswith(f"{self.name}-")}
        expect(kept.sure.keys() <= mine, f"lost: {kept.sure.keys() - mine}")
        expect(mine <= kept.sure.keys() | kept.unsure.keys(), f"unknown: {mine - kept.sure.keys()}")

    def _deleted(self, kept: Kept, path: str) -> None:
        if not kept.sure:
            return
        name = self._rng.choice(list(kept.sure))
        kept.unsure[name] = kept.sure.pop(name)  # unless the answer says that it is gone
        self.call("DELETE", f"{path}/{name}")
        del kept.unsure[name]
        expect(self.send("GET", f"{path}/{name}").status_code == 404, f"{name}: deleted, and still there")

    def all_there(self) -> None:
        """See that all that was promised is there and works, and nothing else of ours."""
        expect(self.does(self.key_list) and self.does(self.seal_list), "the lists were refused")
        for name, made in self.keys.sure.items():
            expect(self.call("GET", f"/keys/{name}") == made, f"{name} is not what it was")
            if made["type"] == "ecc-p256":
                self.world.pems[name] = made["public_key_pem"]
                self._check_der(name, *self._signed(name, "der"))
        for name, (data, _) in self.sealed.sure.items():
            opened = self.call("POST", f"/sealed/{name}/unseal")["data"]
            expect(opened == _b64(data), f"{name} does not hold what it did")
        for name in ("shared", "released"):
            self._check_der(name, *self._signed(name, "der"))

    # --- attestation

    def certify(self) -> None:
        nonce = secrets.token_bytes(32)
        answer = self.call("POST", "/keys/shared/certify", {"nonce": _b64(nonce)})
        self._must_be_logged("certify", "shared", hashlib.sha256(nonce).hexdigest())
        ak = base64.b64decode(self.world.identity["ak"]["public"])
        given, public = Certification.parse(answer), self.world.eosio["shared"]
        steps = verify_certification(given, ak_public=ak, nonce=nonce, public_key_eosio=public)
        expect(accepted(steps), f"certification: {reason(steps)}")

    def identity(self) -> None:
        expect(self.call("GET", "/identity") == self.world.identity, "another identity than before")

    def attest(self) -> None:
        """One after the other, each compared with the last one accepted: clock, firmware, log of key uses."""
        with self.world.attesting:
            pinned, manifest = self.world.pinned, self.world.manifest
            assert pinned is not None
            nonce = IssuedNonce(secrets.token_bytes(32), SERVICE, datetime.now(UTC))
            body: dict[str, object] = {"nonce": _b64(nonce.value), "pcrs": pinned.pcrs}
            if pinned.last is not None:
                body["audit"] = {"sequence": pinned.last.audit_sequence, "hash": pinned.last.audit_hash}
            answer = self.call("POST", "/attestations", body)
            steps = verify_evidence(answer, manifest, nonce=nonce, pinned=pinned, now=datetime.now(UTC))
            expect(accepted(steps), f"attestation: {reason(steps)}")
            quoted, claims = Evidence.parse(answer).quoted, Evidence.parse(answer).claims
            log = claims.audit_sequence, claims.audit_hash
            last = Accepted(quoted.clock, quoted.firmware_version, *log, datetime.now(UTC))
            self.world.pinned = replace(pinned, last=last)

    def read_pcrs(self) -> None:
        with self.world.extending:
            since = self.world.starts
            listed = self.call("GET", "/pcrs")["pcrs"]
            values = [base64.b64decode(one["value"]) for one in listed]
            expect(values[8] == self.world.measured, "PCR 8 is not what was measured")
            expect(
                all(value == ZERO for value in [*values[:8], *values[9:16]]), "a PCR that nobody extends is not zero"
            )
            for pcr in EVENT_PCRS:
                self._check_pcr(pcr, values[pcr], self._may_hold(pcr), since)

    def extend(self) -> None:
        pcr, event = self._rng.choice(EVENT_PCRS), secrets.token_bytes(20)
        digest = hashlib.sha256(event).digest()

        def extended() -> set[bytes]:
            return {hashlib.sha256(value + digest).digest() for value in self._may_hold(pcr)}

        with self.world.extending:
            since = self.world.starts
            try:
                answer = self.call("POST", f"/pcrs/{pcr}/events", {"data": _b64(event)})
            except RefusedError:
                self.world.pcrs[pcr] |= extended()
                raise
            self._check_pcr(pcr, base64.b64decode(answer["value"]), extended(), since)

    def _may_hold(self, pcr: int) -> set[bytes]:
        restarted = self.world.starts != self.world.pcrs_since[pcr]
        return self.world.pcrs[pcr] | ({ZERO} if restarted else set())

    def _check_pcr(self, pcr: int, value: bytes, expected: set[bytes], since: int) -> None:
        expect(value in expected, f"PCR {pcr}: expected one of {len(expected)} values, got another")
        self.world.pcrs[pcr], self.world.pcrs_since[pcr] = {value}, since

    def health(self) -> None:
        answer = self.send("GET", "/health")
        body = answer.json()
        expect(body["integrity"] == "verified", f"health: integrity {body['integrity']}")
        expect(answer.status_code == (200 if body["tpm"] == "ok" else 503), f"health: {answer.status_code} {body}")
        if body["tpm"] != "ok":
            raise RefusedError(503, "not_well")


def _item(digest: bytes, form: str) -> dict[str, str]:
    return {"digest": _b64(digest), "format": form}


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
