"""Which key of the TPM service signs records: read from the database each time, so that a rotation needs no restart."""

from collections.abc import Sequence

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ledger.models import KeyRotation, SigningKey

Status, Step = SigningKey.Status, KeyRotation.Step


def active() -> SigningKey:
    """The key that signs now; that of settings.LEDGER_KEY before the first rotation."""
    found = SigningKey.objects.filter(status=Status.ACTIVE).first()
    if found is None:
        # ignore_conflicts: another worker may write it in this moment
        SigningKey.objects.bulk_create([SigningKey(name=settings.LEDGER_KEY)], ignore_conflicts=True)
        found = SigningKey.objects.get(status=Status.ACTIVE)
    return found


def hold(*, name: str, public_key: str) -> bool:
    """Keep this key the active one until the database transaction around this ends; False where it no longer is.

    So nothing is committed with a signature of the old key after a rotation has switched to the new one.
    """
    found = SigningKey.objects.select_for_update().filter(name=name, status=Status.ACTIVE).first()
    if found is None:
        return False
    if found.public_key != public_key:
        SigningKey.objects.filter(pk=found.pk).update(public_key=public_key)
    return True


def unfinished_rotation() -> KeyRotation | None:
    return KeyRotation.objects.select_related("old", "new").exclude(step=Step.DONE).first()


def permitted_keys(active_public_key: str) -> Sequence[frozenset[str]]:
    """The sets of keys that the account's `record` permission may hold now; in a rotation's step two of them."""
    rotation = unfinished_rotation()
    if rotation is None or rotation.step == Step.MAKE:
        return [frozenset({active_public_key})]
    old, new = rotation.old.public_key, rotation.new.public_key
    return {
        Step.ADD: [frozenset({old}), frozenset({old, new})],
        Step.SWITCH: [frozenset({old, new})],
        Step.SETTLE: [frozenset({old, new})],
        Step.REMOVE: [frozenset({old, new}), frozenset({new})],
    }[Step(rotation.step)]


# --- the rotation's changes (ledger/operations/rotation.py)


@transaction.atomic
def rotation_open(*, name: str) -> KeyRotation:
    """Begin the rotation to a new key of this name, or return the one that is not finished."""
    SigningKey.objects.select_for_update().get(pk=active().pk)  # two at once: the second sees the first
    rotation = unfinished_rotation()
    if rotation is None:
        new = SigningKey.objects.create(name=name, status=Status.COMING)
        rotation = KeyRotation.objects.create(old=active(), new=new)
    return rotation


@transaction.atomic
def rotation_give_up(rotation: KeyRotation) -> None:
    """Nothing came of it: there is no new key, and the chain was not asked for anything yet."""
    KeyRotation.objects.filter(pk=rotation.pk, step=Step.MAKE).delete()
    SigningKey.objects.filter(pk=rotation.new_id, status=Status.COMING, rotations_to=None).delete()


@transaction.atomic
def switch(rotation: KeyRotation) -> bool:
    """From here on the new key signs; waits for those that are committing signatures of the old one."""
    list(SigningKey.objects.select_for_update().filter(pk=rotation.old_id))
    now = timezone.now()
    if not KeyRotation.objects.filter(pk=rotation.pk, step=Step.SWITCH).update(step=Step.SETTLE):
        return False
    SigningKey.objects.filter(pk=rotation.old_id).update(status=Status.LEAVING, since=now)
    SigningKey.objects.filter(pk=rotation.new_id).update(status=Status.ACTIVE, since=now)
    return True


@transaction.atomic
def retire(rotation: KeyRotation) -> bool:
    """The old key is out of the account's permission for good: the rotation is done."""
    now = timezone.now()
    done = KeyRotation.objects.filter(pk=rotation.pk, step=Step.REMOVE)
    if not done.update(step=Step.DONE, finished_at=now, claimed_until=None, packed=None):
        return False
    SigningKey.objects.filter(pk=rotation.old_id).update(status=Status.RETIRED, since=now)
    return True
