"""The operations of the TPM, as the service offers them."""

import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

from tpm2_pytss import (
    ESAPI,
    ESYS_TR,
    TPM2_ALG,
    TPM2_RC,
    TPM2B_DIGEST,
    TPM2B_PUBLIC,
    TPM2B_PUBLIC_KEY_RSA,
    TPMT_SIGNATURE,
    TSS2_Exception,
)

from tpm.service.device.connection import Connection
from tpm.service.device.objects import (
    ECDSA,
    NO_TICKET,
    OAEP,
    RSA_SCHEMES,
    SEALED,
    TEMPLATES,
    TPM_LAYER,
    KeyBlob,
    read_pcrs,
    rs,
    rsa_bytes,
    sealed_under,
    sensitive,
)
from tpm.service.encoding import Signature
from tpm.service.errors import InvalidCiphertextError, KeyUsageError

Input = TypeVar("Input")
Output = TypeVar("Output")

SIGN_CHUNK = 16  # digests signed before others get their turn, about 10 ms on swtpm
RSA_CHUNK = 2  # the same
MAX_RANDOM = 64  # bytes that one TPM2_GetRandom gives
MAX_BUFFER = 1024  # bytes that one command takes (TPM2_PT_INPUT_BUFFER)
HASHES = {"sha256": TPM2_ALG.SHA256, "sha384": TPM2_ALG.SHA384, "sha512": TPM2_ALG.SHA512}
PCRS = 24
NOT_DECRYPTABLE = {TPM2_RC.VALUE, TPM2_RC.SIZE, TPM2_RC.FAILURE}  # libtpms says FAILURE, the standard VALUE


class Device(Connection):
    """One TPM. Every method takes its turn, and raises what `tpm/service/errors.py` names."""

    def create_key(self, type: str, usage: str, auth: bytes) -> KeyBlob:
        """Make a key of TEMPLATES with an auth value (32 bytes) under the storage key; it takes no slot.

        An RSA key takes the TPM for 0.1 to 1 s on swtpm, and for many seconds on some chips.
        """
        return self._create(TEMPLATES[type, usage], auth)

    def seal(self, data: bytes, auth: bytes) -> KeyBlob:
        """Wrap 1 to 128 bytes; whoever has `auth` (32 bytes) may open them, in this TPM only."""
        return self._create(SEALED, auth, data)

    def unseal(self, blob: KeyBlob) -> bytes:
        """Return what was sealed; raises KeyUnusableError for another TPM or a wrong auth value."""

        def unseal(esys: ESAPI) -> bytes:
            handle = self.load(esys, blob)
            try:
                return bytes(esys.unseal(handle))
            finally:
                esys.flush_context(self._loaded.pop(blob))  # the slots are for keys that sign again and again

        return self.perform(unseal)

    def check_measured(self) -> None:
        """Raise KeyUsageError (policy_unavailable) when nothing can be made with the policy "release" here."""
        if self._measured is None:
            raise KeyUsageError("policy 'release': this service is not measured", code="policy_unavailable")

    def seal_released(self, data: bytes) -> KeyBlob:
        """Wrap 1 to 128 bytes; only approved releases open them, in this TPM. Raises what `check_measured` raises."""
        self.check_measured()
        assert self._measured is not None
        return self._create(sealed_under(self._measured.policy.auth_policy), b"", data)

    def open_released(self, blob: KeyBlob) -> bytes:
        """Return what `seal_released` wrapped; raises IntegrityFailedError when the release is not approved."""
        return self.perform(lambda esys: self.unseal_released(esys, blob))

    def pcrs(self) -> list[bytes]:
        """Return the 24 PCRs of the SHA-256 bank (32 bytes each), by number, of a TPM that was measured into."""

        def read(esys: ESAPI) -> list[bytes]:
            values = read_pcrs(esys, range(PCRS))
            self.check_boot(esys)
            return values

        return self.perform(read)

    def extend(self, pcr: int, event: bytes) -> bytes:
        """Extend a PCR with the hash of an event (at most MAX_BUFFER bytes), in all banks; returns its SHA-256 value.

        An attempt whose answer was lost is not repeated: the value tells whether it arrived.
        """
        expected = b""

        def extend(esys: ESAPI) -> bytes:
            nonlocal expected
            (before,) = read_pcrs(esys, [pcr])
            if before == expected:
                return before
            expected = hashlib.sha256(before + hashlib.sha256(event).digest()).digest()
            esys.pcr_event(ESYS_TR(pcr), event)
            return read_pcrs(esys, [pcr])[0]

        return self.perform(extend)

    def _create(self, template: TPM2B_PUBLIC, auth: bytes, data: bytes = b"") -> KeyBlob:
        def create(esys: ESAPI) -> KeyBlob:
            self.require_integrity()
            self.make_room(esys)
            private, public, *_ = esys.create(self._storage_key, sensitive(auth, data), template)
            return KeyBlob(public.marshal(), private.marshal(), auth)

        return self.perform(create)

    def sign(self, key: KeyBlob, digests: Sequence[bytes]) -> list[Signature]:
        """Sign each digest (32 bytes) with ECDSA; returns (r, s) in order. Others get turns between chunks."""

        def one(esys: ESAPI, handle: ESYS_TR, digest: TPM2B_DIGEST) -> TPMT_SIGNATURE:
            return esys.sign(handle, digest, ECDSA, NO_TICKET)

        prepared = [TPM2B_DIGEST(digest) for digest in digests]  # and read afterwards: the next waits for our turn
        return [rs(signature) for signature in self._in_chunks(SIGN_CHUNK, key, prepared, one)]

    def sign_rsa(self, key: KeyBlob, items: Sequence[tuple[bytes, str]]) -> list[bytes]:
        """Sign each SHA-256 digest with its scheme of RSA_SCHEMES. The salt of PSS has 32 bytes."""

        def one(esys: ESAPI, handle: ESYS_TR, item: tuple[bytes, str]) -> bytes:
            digest, scheme = item
            return rsa_bytes(esys.sign(handle, TPM2B_DIGEST(digest), RSA_SCHEMES[scheme], NO_TICKET))

        return self._in_chunks(RSA_CHUNK, key, items, one)

    def hmac(self, key: KeyBlob, messages: Sequence[bytes]) -> list[bytes]:
        """Return the HMAC-SHA256 of each message (at most MAX_BUFFER bytes)."""

        def one(esys: ESAPI, handle: ESYS_TR, message: bytes) -> bytes:
            return bytes(esys.hmac(handle, message, TPM2_ALG.SHA256))

        return self._in_chunks(SIGN_CHUNK, key, messages, one)

    def decrypt(self, key: KeyBlob, ciphertext: bytes) -> bytes:
        """Decrypt RSA-OAEP (SHA-256, empty label); raises InvalidCiphertextError whatever is wrong with it."""

        def one(esys: ESAPI, handle: ESYS_TR, item: bytes) -> bytes:
            try:
                return bytes(esys.rsa_decrypt(handle, TPM2B_PUBLIC_KEY_RSA(item), OAEP))
            except TSS2_Exception as error:
                if error.rc >> 16 == TPM_LAYER and error.error in NOT_DECRYPTABLE:
                    raise InvalidCiphertextError() from None
                raise

        return self._in_chunks(1, key, [ciphertext], one)[0]

    def _in_chunks(
        self,
        size: int,
        key: KeyBlob,
        items: Sequence[Input],
        one: Callable[[ESAPI, ESYS_TR, Input], Output],
    ) -> list[Output]:
        """Do `one` with the loaded key for each item, `size` of them a turn."""
        outputs: list[Output] = []
        for start in range(0, len(items), size):
            chunk = items[start : start + size]

            def work(esys: ESAPI, chunk: Sequence[Input] = chunk) -> list[Output]:
                handle = self.load(esys, key)
                return [one(esys, handle, item) for item in chunk]

            with self._turn.hold(admitted=start > 0):
                outputs += self._run(work)
        return outputs

    def random(self, count: int) -> bytes:
        """Return `count` bytes of the TPM's random number generator."""

        def draw(esys: ESAPI) -> bytes:
            drawn = b""
            while len(drawn) < count:
                drawn += bytes(esys.get_random(min(count - len(drawn), MAX_RANDOM)))
            return drawn

        return self.perform(draw)

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

        return self.perform(digest)
