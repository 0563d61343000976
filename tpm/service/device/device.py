"""The operations of the TPM, as the service offers them."""

import secrets
from collections.abc import Sequence

from tpm2_pytss import ESAPI, ESYS_TR, TPM2_ALG, TPM2B_DIGEST

from tpm.service.device.connection import Connection
from tpm.service.device.objects import NO_TICKET, SCHEME, SIGNING_KEY, KeyBlob, point, rs, sensitive
from tpm.service.encoding import Signature

AUTH_BYTES = 32
SIGN_CHUNK = 16  # digests signed before others get their turn, about 10 ms on swtpm
MAX_RANDOM = 64  # bytes that one TPM2_GetRandom gives
MAX_BUFFER = 1024  # bytes that one command takes (TPM2_PT_INPUT_BUFFER)
HASHES = {"sha256": TPM2_ALG.SHA256, "sha384": TPM2_ALG.SHA384, "sha512": TPM2_ALG.SHA512}


class Device(Connection):
    """One TPM. Every method takes its turn, and raises what `errors.py` names."""

    def create_key(self) -> KeyBlob:
        """Make a P-256 signing key under the storage key; it is not loaded and takes no slot."""
        auth = secrets.token_bytes(AUTH_BYTES)

        def create(esys: ESAPI) -> KeyBlob:
            self._make_room(esys)
            private, public, *_ = esys.create(self._storage_key, sensitive(auth), SIGNING_KEY)
            return KeyBlob(point(public), public.marshal(), private.marshal(), auth)

        with self._turn.hold():
            return self._run(create)

    def sign(self, key: KeyBlob, digests: Sequence[bytes]) -> list[Signature]:
        """Sign each digest (32 bytes) with ECDSA; returns (r, s) in order. Others get turns between chunks."""
        signatures: list[Signature] = []
        for start in range(0, len(digests), SIGN_CHUNK):
            with self._turn.hold(admitted=start > 0):
                signatures += self._sign_chunk(key, digests[start : start + SIGN_CHUNK])
        return signatures

    def _sign_chunk(self, key: KeyBlob, digests: Sequence[bytes]) -> list[Signature]:
        def sign(esys: ESAPI) -> list[Signature]:
            handle = self._load(esys, key)
            return [rs(esys.sign(handle, TPM2B_DIGEST(digest), SCHEME, NO_TICKET)) for digest in digests]

        return self._run(sign)

    def random(self, count: int) -> bytes:
        """Return `count` bytes of the TPM's random number generator."""

        def draw(esys: ESAPI) -> bytes:
            drawn = b""
            while len(drawn) < count:
                drawn += bytes(esys.get_random(min(count - len(drawn), MAX_RANDOM)))
            return drawn

        with self._turn.hold():
            return self._run(draw)

    def hash(self, algorithm: str, data: bytes) -> bytes:
        """Return the hash of data of any length; the algorithm is one of HASHES."""

        def digest(esys: ESAPI) -> bytes:
            parts = [data[start : start + MAX_BUFFER] for start in range(0, len(data), MAX_BUFFER)] or [b""]
            if len(parts) == 1:
                return bytes(esys.hash(parts[0], HASHES[algorithm], ESYS_TR.NULL)[0])
            sequence = esys.hash_sequence_start(None, HASHES[algorithm])  # in the slot that loaded keys leave free
            for part in parts[:-1]:
                esys.sequence_update(sequence, part)
            return bytes(esys.sequence_complete(sequence, parts[-1], ESYS_TR.NULL)[0])  # frees the slot as well

        with self._turn.hold():
            return self._run(digest)
