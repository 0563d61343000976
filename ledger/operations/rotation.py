"""From one signing key to the next while records go on (`manage.py ledger_rotate_key`, docs/ledger.md).

MAKE    a new key in the TPM service, tried out and certified by the TPM's AK
ADD     the account's `record` permission takes the old key or the new one; waited for until that is irreversible
SWITCH  from here on records are signed with the new key
SETTLE  waited for until the chain has, or can no longer take, everything that the old key signed
REMOVE  `record` takes the new key alone; waited for until that is irreversible
DONE

Every step ends with a commit and begins by looking how far it is. So a process may be killed anywhere, and whoever
starts again goes on. Both changes of the permission are authorised by the permission itself: no offline key is needed.

RotationError              it cannot go on; what is done stays done, and starting again goes on from there
├── RotationBusy               another process is at it
└── RotationRefused            the chain or the TPM service refuses
"""

import re
import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import count

from django.conf import settings
from django.db.models import Max, Q

from common import clock
from ledger.chain import antelope, p256
from ledger.chain.node import chain
from ledger.errors import ChainError, ChainUnreachable, LedgerError, OutcomeUnknown
from ledger.models import ChainTransaction, KeyRotation, SigningKey
from ledger.operations.permission_change import NO_TRANSACTION, PermissionChange
from ledger.recording import resuming, settlement
from ledger.signing import keys
from ledger.signing.signer import signer
from tpm.client import TpmError, TpmRefused

Say = Callable[[str], None]
Step = KeyRotation.Step
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")  # as the TPM service takes them
POLL_S = 0.3
SAY_EVERY_S = 5.0


class RotationError(LedgerError):
    """The rotation cannot go on; the message says what to do."""


class RotationBusy(RotationError):
    """Another process is at it."""


class RotationRefused(RotationError):
    """The chain or the TPM service refuses."""


def next_name() -> str:
    """A name that no signing key had yet: ledger-2, ledger-3, …"""
    names = {settings.LEDGER_KEY, *SigningKey.objects.values_list("name", flat=True)}
    base = re.sub(r"-[0-9]+\Z", "", settings.LEDGER_KEY)
    return next(name for name in (f"{base}-{number}" for number in count(2)) if name not in names)


def prepare(name: str | None) -> KeyRotation:
    """Return the rotation that is not finished, else begin one to a new key; raises RotationError."""
    rotation = keys.unfinished_rotation()
    if rotation is None:
        wanted = name or next_name()
        check_name(wanted)
        rotation = keys.rotation_open(name=wanted)
    if name not in (None, rotation.new.name):
        raise RotationBusy(
            f"the rotation from {rotation.old.name} to {rotation.new.name} is not finished (step {rotation.step}); "
            "finish it first, by starting this command without a name"
        )
    return rotation


def check_name(name: str) -> None:
    """The key shall be a new one; raises RotationError."""
    if not NAME.fullmatch(name):
        raise RotationError(f"a key's name: expected 1 to 63 of a-z, 0-9 and inner hyphens, got {name[:80]!r}")
    if SigningKey.objects.filter(name=name).exists():
        raise RotationError(f"{name} signs, or has signed, records: give the new key a name of its own")
    try:
        there = {key.name for key in signer(name).client.key_list()}
    except TpmError as error:
        raise RotationError(f"the TPM service cannot be asked for its keys: {error}") from error
    if name in there:
        raise RotationError(f"the TPM service has a key {name} already: give the new key a name of its own")


class Rotation:
    """One process's drive of a rotation; `say` is told what happens, a sentence at a time."""

    def __init__(self, row: KeyRotation, say: Say) -> None:
        self.row = row
        self.say = say
        self._me = secrets.token_hex(16)
        self._begun = ""
        self._change: PermissionChange | None = None

    def run(self) -> None:
        """Take all steps that are left, and wait for what needs time; raises RotationError."""
        self.claim()
        try:
            while self.row.step != Step.DONE:
                self.step()
        finally:
            self.release()

    def step(self) -> None:
        """Take the next step to its end."""
        step = Step(self.row.step)
        take = {
            Step.MAKE: self._make,
            Step.ADD: self._add,
            Step.SWITCH: self._switch,
            Step.SETTLE: self._settle,
            Step.REMOVE: self._remove,
        }[step]
        self._wait(take)
        self._read()

    # --- one process at a time

    def claim(self) -> None:
        """Become the one who drives it. A killed process's claim runs out; a living one renews its own."""
        first = None
        while not self._take(clock.free(timedelta(seconds=settings.LEDGER_CLAIM_S))):
            self._read()
            until = self.row.claimed_until
            if self.row.step == Step.DONE:
                return
            if until is None:
                continue  # given up in this moment
            if first is None:
                first = until
                self.say(f"Another process was at this rotation. If it was killed, its claim ends at {until:%H:%M:%S}.")
            elif until > first:
                raise RotationBusy(f"another process is at the rotation to {self.row.new.name}: let it finish")
            time.sleep(POLL_S)
        self._read()

    def release(self) -> None:
        """Whoever starts next need not wait until the claim runs out."""
        KeyRotation.objects.filter(pk=self.row.pk, claimed_by=self._me).update(claimed_until=None)

    def _read(self) -> None:
        try:
            self.row = KeyRotation.objects.select_related("old", "new").get(pk=self.row.pk)
        except KeyRotation.DoesNotExist:
            raise RotationBusy("another process gave this rotation up: its key could not be made") from None

    def _take(self, free: Q) -> bool:
        until = clock.now() + timedelta(seconds=settings.LEDGER_CLAIM_S)
        claimed = KeyRotation.objects.filter(free, pk=self.row.pk).exclude(step=Step.DONE)
        return bool(claimed.update(claimed_by=self._me, claimed_until=until))

    def _wait(self, take: Callable[[], str | None]) -> None:
        """Try until it is done (None); what it waits for is said at once, and then every few seconds."""
        said_at = 0.0
        while (news := self._try(take)) is not None:
            if time.monotonic() - said_at > SAY_EVERY_S:
                self.say(f"    {news}")
                said_at = time.monotonic()
            if not self._take(Q(claimed_by=self._me)):
                raise RotationBusy("another process took the rotation over, because this one stood still for too long")
            time.sleep(POLL_S)

    def _try(self, take: Callable[[], str | None]) -> str | None:
        try:
            return take()
        except TpmError as error:
            if isinstance(error, TpmRefused) or error.code == "not_certified":
                raise RotationRefused(f"the TPM service: {error}") from error
            return f"waiting for the TPM service: {error}"
        except (ChainUnreachable, OutcomeUnknown) as error:
            return f"waiting for the chain: {error}"
        except ChainError as error:
            raise RotationRefused(f"the chain refuses: {error}") from error

    def _begin(self, words: str) -> None:
        """Say which step is taken now, once, however often it is tried."""
        if self._begun != self.row.step:
            self._begun = self.row.step
            self.say(words)

    def _advance(self, to: Step) -> None:
        here = KeyRotation.objects.filter(pk=self.row.pk, step=self.row.step)
        if not here.update(step=to, **NO_TRANSACTION):
            raise RotationBusy("another process took this step already")
        self._change = None

    # --- the steps; each returns what it waits for, or None when it is done

    def _make(self) -> str | None:
        old, new = self.row.old, self.row.new
        self._begin(f"MAKE    the key {new.name} in the TPM service")
        try:
            self._make_key(old, new)
        except (TpmRefused, RotationRefused) as error:
            keys.rotation_give_up(self.row)
            raise RotationRefused(f"there is no key {new.name} to rotate to: {error}") from error
        self._advance(Step.ADD)
        return None

    def _make_key(self, old: SigningKey, new: SigningKey) -> None:
        SigningKey.objects.filter(pk=old.pk).update(public_key=signer(old.name).to_public())
        public_key = self._key_create(new.name)
        self._try_out(new.name, public_key)
        SigningKey.objects.filter(pk=new.pk).update(public_key=public_key)
        self.say(f"        {public_key}")

    def _key_create(self, name: str) -> str:
        client = signer(name).client
        try:
            return client.key_create(name, policy="release").public_key_eosio
        except TpmRefused as error:
            if error.code != "policy_unavailable":
                raise
        self.say("        the TPM service is not measured: the key is bound to no release of it")
        return client.key_create(name).public_key_eosio

    def _try_out(self, name: str, public_key: str) -> None:
        """The key signs, the portal may use it, and it is certified: known before anything depends on it."""
        digest = secrets.token_bytes(32)
        (signature,) = signer(name).sign_many([digest])
        signed_by = antelope.public_key_encode(p256.recover(digest, antelope.signature_decode(signature)[1]))
        if signed_by != public_key:
            raise RotationRefused(f"the TPM service signed with {signed_by} instead of {name}, {public_key}")

    def _add(self) -> str | None:
        old, new = self.row.old, self.row.new
        return self._permission("ADD", before={old.public_key}, wanted={old.public_key, new.public_key}, key=old.name)

    def _remove(self) -> str | None:
        old, new = self.row.old, self.row.new
        both = {old.public_key, new.public_key}
        return self._permission("REMOVE", before=both, wanted={new.public_key}, key=new.name)

    def _permission(self, step: str, *, before: set[str], wanted: set[str], key: str) -> str | None:
        change = {"ADD": f"takes {self.row.new.name} too", "REMOVE": f"takes {self.row.new.name} alone"}[step]
        self._begin(f"{step:7} the account's permission `record` {change}; signed by {key}")
        if self._change is None:
            self._change = PermissionChange(self.row, before=frozenset(before), wanted=frozenset(wanted), key=key)
        news = self._change.look()
        if news is None:
            self.say(f"        irreversible; transaction {self.row.transaction_id or 'not ours'}")
            self._advance(Step.SWITCH) if step == "ADD" else self._retire()
        return news

    def _switch(self) -> str | None:
        self._try_out(self.row.new.name, self.row.new.public_key)
        if not keys.switch(self.row):
            raise RotationBusy("another process took this step already")
        self.say(f"SWITCH  records are signed with {self.row.new.name} from here on")
        return None

    def _settle(self) -> str | None:
        """Also without workers: what they would do for these transactions is done here."""
        self._begin(f"SETTLE  what {self.row.old.name} signed comes to its end")
        signed = ChainTransaction.objects.filter(public_key=self.row.old.public_key, status__in=settlement.OPEN)
        if signed.exists():
            resuming.resume_waiting()
            settlement.confirm_open()
        found = signed.aggregate(last=Max("expires_at"))
        if found["last"] is None:
            self._advance(Step.REMOVE)
            return None
        left_s = max(0.0, (found["last"] - chain().info().lib_time).total_seconds())
        return f"{signed.count()} transactions of {self.row.old.name} are on their way, at most {left_s:.0f} s left"

    def _retire(self) -> None:
        if not keys.retire(self.row):
            raise RotationBusy("another process took this step already")
        self.say(f"DONE    the chain takes no signature of {self.row.old.name} any more")
