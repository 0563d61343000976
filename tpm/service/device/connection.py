"""The connection to the TPM: its one owner, its recovery, and the few slots for loaded keys.

Whatever goes wrong (cut connection, restarted or reset TPM, slots filled by a dead client): close,
open anew, flush what is left in the chip, and try the operation once more. The caller hears of a second failure.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from tpm2_pytss import (
    ESAPI,
    ESYS_TR,
    TPM2_CAP,
    TPM2_RC,
    TPM2_SU,
    TPM2B_SENSITIVE_CREATE,
    TSS2_Exception,
)

from tpm.service.device.objects import STORAGE_KEY, KeyBlob, unmarshalled
from tpm.service.device.objects import TPM_LAYER as TPM_LAYER
from tpm.service.errors import (
    IntegrityFailedError,
    KeyUnusableError,
    NotApprovedError,
    QueueDeadlineError,
    QueueFullError,
    ServiceError,
    TpmFailureError,
    TpmLockoutError,
    TpmNoMemoryError,
    TpmUnavailableError,
)
from tpm.service.turn import Turn

if TYPE_CHECKING:
    from tpm.service.device.measured import Measured

log = logging.getLogger(__name__)

Result = TypeVar("Result")

STORAGE_KEY_HANDLE = 0x81000001  # where TCG's "TPM v2.0 Provisioning Guidance" (7.5.1) puts the storage root key
TRANSIENT, LOADED_SESSIONS, SAVED_SESSIONS, PERSISTENT = 0x80000000, 0x02000000, 0x03000000, 0x81000000
MAX_HANDLES = 254  # the most that one answer of TPM2_GetCapability holds
LOADED_KEYS = 2  # of the three transient slots: creating and loading need free ones
HEALTH_DEADLINE_S = 1.0
MEASURE_DEADLINE_S = 600.0  # drift is never turned away

ERRORS: dict[int, type[ServiceError]] = {
    TPM2_RC.LOCKOUT: TpmLockoutError,
    TPM2_RC.OBJECT_MEMORY: TpmNoMemoryError,
    TPM2_RC.SESSION_MEMORY: TpmNoMemoryError,
    TPM2_RC.MEMORY: TpmNoMemoryError,
    TPM2_RC.SESSION_HANDLES: TpmNoMemoryError,
    TPM2_RC.OBJECT_HANDLES: TpmNoMemoryError,
    TPM2_RC.CONTEXT_GAP: TpmNoMemoryError,
    TPM2_RC.NV_RATE: TpmUnavailableError,
    TPM2_RC.NV_UNAVAILABLE: TpmUnavailableError,
    TPM2_RC.INITIALIZE: TpmUnavailableError,
    TPM2_RC.HANDLE: TpmUnavailableError,  # of what others have flushed
    TPM2_RC.BAD_AUTH: KeyUnusableError,
}


@dataclass(frozen=True)
class HierarchyAuths:
    """The auth values of the TPM's hierarchies; empty unless somebody has set them, on a chip mostly."""

    owner: bytes = field(default=b"", repr=False)
    endorsement: bytes = field(default=b"", repr=False)


class Connection:
    """What the operations (device.py) stand on. Whatever `measured` holds is in the TPM before any of them runs."""

    def __init__(
        self, tcti: str, turn: Turn, measured: "Measured | None" = None, auths: HierarchyAuths | None = None
    ) -> None:
        self._tcti = tcti
        self._hierarchy_auths = auths or HierarchyAuths()
        self._turn = turn
        self._measured = measured
        self._boot: tuple[int, int] | None = None  # TPMS_CLOCK_INFO's resetCount and restartCount
        self._answered_at = -HEALTH_DEADLINE_S  # by the monotonic clock
        self._esys: ESAPI | None = None
        self._storage_key: ESYS_TR | None = None
        self._loaded: OrderedDict[KeyBlob, ESYS_TR] = OrderedDict()  # least recently used first
        self._auths: dict[KeyBlob, bytes] = {}  # of keys with the policy "release", by what they are sealed in

    def perform(self, operation: Callable[[ESAPI], Result]) -> Result:
        """Do this with the TPM when it is our turn; after a failure once more, over a new connection."""
        with self._turn.hold():
            return self._run(operation, check_boot=True)

    def connect(self) -> None:
        """See that there is a connection, and that what is measured is in the TPM; raises what the operations raise."""
        self.perform(lambda esys: None)

    def measure(self) -> None:
        """Bring the TPM up to what is measured, after forgetting everything that it opened: keys, auth values.

        Raises TpmUnavailableError when there is no TPM: then it happens before anything else, once there is one.
        """

        def measure(esys: ESAPI) -> None:
            self._forget_secrets(esys)
            self._measure(esys)

        with self._turn.hold(admitted=True, deadline_s=MEASURE_DEADLINE_S):
            self._run(measure)

    def forget(self, key: KeyBlob) -> None:
        """Take the key out of the TPM if it is loaded, and its auth value out of memory."""
        with self._turn.hold(admitted=True):
            if key.guard is not None:
                self._auths.pop(key.guard.sealed, None)
            if self._esys is not None and key in self._loaded:
                try:
                    self._esys.flush_context(self._loaded.pop(key))
                except TSS2_Exception:  # a TPM that went away took the key with it
                    self._disconnect()

    def answers(self) -> bool:
        """Tell whether the TPM works: by asking it, or by its latest answer when so many wait that none gets a turn."""
        try:
            with self._turn.hold(client="health", deadline_s=HEALTH_DEADLINE_S):
                self._run(_volatile_handles, check_boot=True)
        except (QueueFullError, QueueDeadlineError):
            return time.monotonic() - self._answered_at < HEALTH_DEADLINE_S
        except ServiceError:
            return False
        return True

    def close(self) -> None:
        """Leave the TPM without anything of ours in it."""
        with self._turn.hold(admitted=True):
            if self._esys is not None:
                with suppress(TSS2_Exception):  # it may be gone already
                    _flush_all(self._esys)
            self._disconnect()

    def _run(self, operation: Callable[[ESAPI], Result], *, check_boot: bool = False) -> Result:
        try:
            return self._once(operation, check_boot=check_boot)
        except TSS2_Exception as error:
            log.warning("TPM: return code 0x%x; starting anew", error.rc)
        try:
            return self._once(operation)
        except TSS2_Exception as error:
            log.error("TPM: return code 0x%x again", error.rc)
            raise _translated(error) from None

    def _once(self, operation: Callable[[ESAPI], Result], *, check_boot: bool = False) -> Result:
        if check_boot and self._esys is not None:
            try:
                self.check_boot(self._esys)
            except TSS2_Exception:
                log.warning("TPM: gone, or started anew")
                self._disconnect()
        try:
            result = self._judged(operation, self._connected())
        except TSS2_Exception:
            self._disconnect()
            raise
        self._answered_at = time.monotonic()
        return result

    def _connected(self) -> ESAPI:
        """Return the connection, whole or not at all: one that was not measured into must never serve."""
        if self._esys is None:
            self._esys = ESAPI(self._tcti)
            try:
                self._prepare(self._esys)
            except BaseException:
                self._disconnect()
                raise
        return self._esys

    def _prepare(self, esys: ESAPI) -> None:
        _startup(esys)
        esys.tr_set_auth(ESYS_TR.OWNER, self._hierarchy_auths.owner)
        esys.tr_set_auth(ESYS_TR.ENDORSEMENT, self._hierarchy_auths.endorsement)
        _flush_all(esys)
        self._storage_key = _storage_key(esys)
        self._measure(esys)

    def _measure(self, esys: ESAPI) -> None:
        """A TPM that has started since we spoke to it last has forgotten what was measured."""
        boot, self._boot = self._boot, _boot(esys)
        measured = self._measured
        if measured is not None:
            with suppress(NotApprovedError):  # `measured` keeps it, and the TPM serves what does not hang on it
                self._judged(lambda esys: measured.connected(esys, started=boot != self._boot), esys)

    def _judged(self, operation: Callable[[ESAPI], Result], esys: ESAPI) -> Result:
        """Do this; when the TPM refuses what runs here for good, keep that in mind."""
        try:
            return operation(esys)
        except NotApprovedError as failure:
            self.check_boot(esys)
            if self._measured is not None:
                self._measured.fail(failure)
            raise

    def check_boot(self, esys: ESAPI) -> None:
        """Raise, as the TPM does before TPM2_Startup, when it has started anew and nobody noticed; for operations.

        libtss2 connects to swtpm anew for each command, so that another swtpm may answer than the one we measured into.
        """
        if _boot(esys) != self._boot:
            raise TSS2_Exception(TPM2_RC.INITIALIZE)

    def _disconnect(self) -> None:
        """Drop the connection: after an I/O error it is dead, and the handles of a restarted TPM mean nothing."""
        self._loaded.clear()
        self._auths.clear()
        if self._esys is not None:
            self._esys.close()
            self._esys = None

    def _forget_secrets(self, esys: ESAPI) -> None:
        self._auths.clear()
        while self._loaded:
            esys.flush_context(self._loaded.popitem()[1])

    def load(self, esys: ESAPI, key: KeyBlob) -> ESYS_TR:
        """Return the handle of the key, for operations: loaded when it is not, its auth value set."""
        self.require_integrity()
        if key in self._loaded:
            self._loaded.move_to_end(key)
            return self._loaded[key]
        self.check_boot(esys)
        auth = self._auth(esys, key)
        self.make_room(esys)
        try:
            handle = esys.load(self._storage_key, *unmarshalled(key))
        except TSS2_Exception as error:
            if error.rc >> 16 == TPM_LAYER and error.parameter:  # trying once more would not help
                raise KeyUnusableError("the stored key is damaged, or of another TPM") from None
            raise
        self._loaded[key] = handle
        esys.tr_set_auth(handle, auth)
        return handle

    def require_integrity(self) -> None:
        """Raise IntegrityFailedError when integrity has failed: also while the request waited for its turn."""
        if self._measured is not None and self._measured.failure is not None:
            raise IntegrityFailedError("the service's log has the reason")

    def _auth(self, esys: ESAPI, key: KeyBlob) -> bytes:
        """Return the key's auth value; one that is sealed under the policy is unsealed once for each connection."""
        if key.guard is None:
            return key.auth
        if key.guard.sealed not in self._auths:
            self._auths[key.guard.sealed] = self.unseal_released(esys, key.guard.sealed)
        return key.guard.auth(self._auths[key.guard.sealed])

    def unseal_released(self, esys: ESAPI, sealed: KeyBlob) -> bytes:
        """Return what is sealed under the policy; raises IntegrityFailedError when it is not fulfilled."""
        if self._measured is None:
            raise IntegrityFailedError("this service is not measured")
        handle = self.load(esys, sealed)
        try:
            return self._measured.policy.unseal(esys, handle)
        finally:
            esys.flush_context(self._loaded.pop(sealed))  # the slots are for keys that sign again and again

    def make_room(self, esys: ESAPI) -> None:
        """Leave two of the three slots free: the TPM takes one for the storage key while it creates or loads."""
        while len(self._loaded) >= LOADED_KEYS:
            _, handle = self._loaded.popitem(last=False)
            esys.flush_context(handle)


def _startup(esys: ESAPI) -> None:
    try:
        esys.startup(TPM2_SU.CLEAR)
    except TSS2_Exception as error:
        if error.error != TPM2_RC.INITIALIZE:  # which says that it is started already
            raise


def _storage_key(esys: ESAPI) -> ESYS_TR:
    """Return the storage key, which stays in the TPM's NV memory; made once from the owner's seed."""
    if STORAGE_KEY_HANDLE in _handles(esys, PERSISTENT):
        return esys.tr_from_tpmpublic(STORAGE_KEY_HANDLE)
    primary, *_ = esys.create_primary(TPM2B_SENSITIVE_CREATE(), STORAGE_KEY, ESYS_TR.OWNER)
    try:
        return esys.evict_control(ESYS_TR.OWNER, primary, STORAGE_KEY_HANDLE)
    finally:
        esys.flush_context(primary)


def _boot(esys: ESAPI) -> tuple[int, int]:
    time = esys.read_clock()
    return int(time.clockInfo.resetCount), int(time.clockInfo.restartCount)


def _handles(esys: ESAPI, first: int) -> list[int]:
    _, capability = esys.get_capability(TPM2_CAP.HANDLES, first, MAX_HANDLES)
    listed = capability.data.handles  # a view into `capability`, which has to live as long
    return [int(listed.handle[i]) for i in range(listed.count)]


def _volatile_handles(esys: ESAPI) -> list[int]:
    return [handle for kind in (TRANSIENT, LOADED_SESSIONS, SAVED_SESSIONS) for handle in _handles(esys, kind)]


def _flush_all(esys: ESAPI) -> None:
    """Flush objects and sessions: dead clients leave theirs behind until the few slots are full."""
    for handle in _volatile_handles(esys):
        esys.flush_context(esys.tr_from_tpmpublic(handle))


def _translated(error: TSS2_Exception) -> ServiceError:
    if error.rc >> 16 != TPM_LAYER:
        return TpmUnavailableError()
    # A warning says that the TPM's state is in the way, as when others took our objects out of it (Part 2, 6.6.3).
    warning = error.error & (TPM2_RC.WARN | TPM2_RC.FMT1) == TPM2_RC.WARN
    return ERRORS.get(error.error, TpmUnavailableError if warning else TpmFailureError)()
