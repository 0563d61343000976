"""A foreign client of a TPM: fills its slots, provokes its lockout, and tells what is in it. In plain TPM commands.

TPM 2.0 Library: commands are Part 3's, structures Part 2's.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from dev.trials.tpm_faults.proxy import HEADER

Exchange = Callable[[bytes], bytes]

NO_SESSIONS, SESSIONS = 0x8001, 0x8002
OWNER, RH_NULL, RH_LOCKOUT, RS_PASSWORD = 0x40000001, 0x40000007, 0x4000000A, 0x40000009
CC_CREATE_PRIMARY, CC_LOCK_RESET, CC_CREATE, CC_LOAD = 0x131, 0x139, 0x153, 0x157
CC_UNSEAL, CC_SIGN, CC_CONTEXT_SAVE, CC_FLUSH, CC_LOAD_EXTERNAL = 0x15E, 0x15D, 0x162, 0x165, 0x167
CC_START_SESSION, CC_GET_CAPABILITY, CC_PCR_READ = 0x176, 0x17A, 0x17E
CC_QUOTE, CC_POLICY_PCR, CC_HASH_SEQUENCE, CC_SHUTDOWN = 0x158, 0x17F, 0x186, 0x145
RC_OBJECT_MEMORY, RC_SESSION_MEMORY, RC_SESSION_HANDLES, RC_CONTEXT_GAP = 0x902, 0x903, 0x905, 0x901
RC_AUTH_FAIL, RC_LOCKOUT, RC_RETRY = 0x98E, 0x921, 0x922
FULL = {RC_OBJECT_MEMORY, RC_SESSION_MEMORY, RC_SESSION_HANDLES, RC_CONTEXT_GAP}
CAP_HANDLES = 1
KINDS = {"transient": 0x80000000, "loaded sessions": 0x02000000, "saved sessions": 0x03000000}
MANY = 200  # more than any TPM has slots, or allows wrong auth values
SEALED_WITH_DA = struct.pack(">HHIHHH", 0x0008, 0x000B, 0x52, 0, 0x0010, 0)  # keyedhash; fixed, userWithAuth, no noDA
P256_WITH_DA = struct.pack(">HHIHHHHHHHH", 0x0023, 0x000B, 0x40072, 0, 0x0010, 0x0018, 0x000B, 3, 0x0010, 0, 0)


class StrangerError(Exception):
    """The TPM refused something; `code` is its response code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"response code 0x{code:x}")
        self.code = code


@dataclass(frozen=True)
class Stranger:
    """Speaks to a TPM over `exchange`; raises StrangerError, and what `exchange` raises."""

    exchange: Exchange

    def fill_objects(self) -> int:
        """Load objects until there is no slot; returns how many."""
        return self._until_full(lambda: self._create_primary(SEALED_WITH_DA))

    def fill_sessions(self) -> int:
        return self._until_full(self._start_session)

    def save_sessions(self) -> int:
        """Save sessions until the TPM can track no more: they hold no slot, and nobody can begin one."""

        def save() -> None:
            self._call(CC_CONTEXT_SAVE, self._start_session().to_bytes(4))

        return self._until_full(save)

    def take_place(self, handle: int) -> None:
        """Put a key of ours where somebody's transient object was; nothing when that is gone."""
        if handle in self.handles()["transient"]:
            self._flush(handle)
            self._create_primary(P256_WITH_DA)

    def lock_out(self) -> None:
        """Provoke the lockout of dictionary attacks, by wrong auth values for an object of ours."""
        handle = self._create_primary(SEALED_WITH_DA)
        try:
            for _ in range(MANY):
                try:
                    self._call(CC_UNSEAL, handle.to_bytes(4), auths=[b"wrong"])
                except StrangerError as error:
                    if error.code == RC_LOCKOUT:
                        return
                    if error.code not in (RC_AUTH_FAIL, RC_RETRY):
                        raise
            raise StrangerError(0)
        finally:
            self._flush(handle)

    def reset_lockout(self) -> None:
        self._call(CC_LOCK_RESET, RH_LOCKOUT.to_bytes(4), auths=[b""])

    def create_key(self, parent: int, auth: bytes) -> tuple[bytes, bytes]:
        """Make a P-256 signing key that counts for the lockout; returns it wrapped: TPM2B_PUBLIC, TPM2B_PRIVATE."""
        answer = self._call(CC_CREATE, parent.to_bytes(4), _creation(auth, b"", P256_WITH_DA), auths=[b""])
        body = answer[HEADER.size + 4 :]
        end = 2 + int.from_bytes(body[:2])
        return body[end : end + 2 + int.from_bytes(body[end : end + 2])], body[:end]

    def handles(self) -> dict[str, list[int]]:
        """Return the handles of what is in the TPM and not in its NV memory, by kind."""
        return {kind: self._handles(first) for kind, first in KINDS.items()}

    def flush_all(self) -> None:
        """Flush whatever is in the TPM, ours or not."""
        for handle in [handle for handles in self.handles().values() for handle in handles]:
            self._flush(handle)

    def _handles(self, first: int) -> list[int]:
        answer = self._call(CC_GET_CAPABILITY, struct.pack(">III", CAP_HANDLES, first, 254))
        count = int.from_bytes(answer[15:19])  # after moreData and the capability's name
        return [int.from_bytes(answer[19 + 4 * n : 23 + 4 * n]) for n in range(count)]

    def _until_full(self, add: Callable[[], object]) -> int:
        for number in range(MANY):
            try:
                add()
            except StrangerError as error:
                if error.code in FULL:
                    return number
                raise
        raise StrangerError(0)

    def _create_primary(self, public: bytes) -> int:
        sealed = public == SEALED_WITH_DA
        made = _creation(b"ours" if sealed else b"", b"nothing" if sealed else b"", public)
        return int.from_bytes(self._call(CC_CREATE_PRIMARY, OWNER.to_bytes(4), made, auths=[b""])[10:14])

    def _start_session(self) -> int:
        head = struct.pack(">IIH", RH_NULL, RH_NULL, 16) + bytes(16)
        answer = self._call(CC_START_SESSION, head + struct.pack(">HBHH", 0, 0, 0x0010, 0x000B))
        return int.from_bytes(answer[10:14])

    def _flush(self, handle: int) -> None:
        self._call(CC_FLUSH, handle.to_bytes(4))

    def _call(self, code: int, handles: bytes, parameters: bytes = b"", *, auths: list[bytes] | None = None) -> bytes:
        area = b"".join(struct.pack(">IHBH", RS_PASSWORD, 0, 1, len(auth)) + auth for auth in auths or [])
        body = handles + (len(area).to_bytes(4) + area if auths else b"") + parameters
        answer = self.exchange(HEADER.pack(SESSIONS if auths else NO_SESSIONS, HEADER.size + len(body), code) + body)
        _, _, refused = HEADER.unpack(answer[: HEADER.size])
        if refused:
            raise StrangerError(refused)
        return answer


def _creation(auth: bytes, data: bytes, public: bytes) -> bytes:
    """Return the parameters of TPM2_Create and TPM2_CreatePrimary."""
    sensitive = _sized(_sized(auth) + _sized(data))
    return sensitive + _sized(public) + _sized(b"") + (0).to_bytes(4)  # no outside info, no creation PCRs


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(2) + data
