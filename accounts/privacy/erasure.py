"""Delete my account: what is asked, done step by step, and never half.

The account is locked at once. Then each step, which a package adds when Django starts (`step_add`), does its part and
may be repeated; what is done is noted after each. A worker that is killed anywhere leaves the rest to the sweep. The
last step takes the name from the account: the row stays, under a pseudonym, because accounting and logs point to it.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from accounts.models import Erasure, User
from common.announce import announce

log = logging.getLogger(__name__)


class ErasureRefusedError(Exception):
    """Not now; the text is for the person, and says why."""


class ErasureWaits(Exception):
    """A step cannot be done yet; the text says for what it waits."""


@dataclass(frozen=True)
class Step:
    """`run` does it, may be repeated, and raises ErasureWaits where it has to wait. Steps go by `order`.

    `hindrance` says in words why the person cannot be erased now, "" where they can: asked before anything is done.
    """

    name: str
    order: int
    run: Callable[[Erasure], None]
    hindrance: Callable[[User], str] = lambda user: ""


STEPS: dict[str, Step] = {}


def step_add(step: Step) -> None:
    """To be called when Django starts, by the package that forgets something."""
    STEPS[step.name] = step


def steps() -> list[Step]:
    """In the order in which they are done."""
    return sorted(STEPS.values(), key=lambda step: step.order)


def hindrances(customer: User, *, although_charging: bool = False) -> list[str]:
    """Why this account cannot be deleted now, in words; [] where it can."""
    if customer.is_staff or customer.is_superuser:
        return [gettext("The account has rights of staff. An administrator must take these away first.")]
    if although_charging:
        return []
    return [reason for step in steps() if (reason := step.hindrance(customer))]


@transaction.atomic
def erasure_ask(*, customer: User, asked_by: str = "", reason: str = "", although_charging: bool = False) -> Erasure:
    """Lock the account, and begin to erase it after commit; asked again, it is the same one.

    `asked_by` is who of the staff, "" for the person themselves. Raises ErasureRefusedError with the reason in words.
    """
    locked = User.objects.select_for_update(no_key=True).get(pk=customer.pk)
    if found := Erasure.objects.filter(customer=locked).first():
        return found
    reasons = hindrances(locked, although_charging=although_charging)
    if reasons:
        raise ErasureRefusedError(" ".join(reasons))
    words = {"asked_by": asked_by[:150], "reason": reason[:255], "although_charging": although_charging}
    erasure = Erasure.objects.create(customer=locked, pseudonym=f"erased-{secrets.token_hex(6)}", **words)
    User.objects.filter(pk=locked.pk).update(is_active=False)
    customer.is_active = False
    transaction.on_commit(lambda: announce("accounts.tasks.erase", erasure.pk))
    return erasure


def erasure_run(*, erasure_id: int) -> bool:
    """Do what is left of an erasure; False where it has to wait (`waits_for` says why) or is not there."""
    erasure = Erasure.objects.select_related("customer").filter(pk=erasure_id).first()
    if erasure is None:
        return False
    try:
        for step in steps():
            if step.name not in erasure.steps_done:
                step.run(erasure)
                _note(erasure, step.name)
    except ErasureWaits as wait:
        Erasure.objects.filter(pk=erasure.pk).update(waits_for=str(wait)[:255])
        log.info("erasure %s waits: %s", erasure.pseudonym, wait)
        return False
    if erasure.done_at is None:
        Erasure.objects.filter(pk=erasure.pk, done_at__isnull=True).update(done_at=timezone.now(), waits_for="")
        log.info("erasure %s done", erasure.pseudonym)
    return True


def _note(erasure: Erasure, name: str) -> None:
    """Two workers at once may do a step twice, which does no harm; each notes what is done by now."""
    with transaction.atomic():
        locked = Erasure.objects.select_for_update().get(pk=erasure.pk)
        locked.steps_done = sorted({*locked.steps_done, *erasure.steps_done, name})
        locked.waits_for = ""
        locked.save(update_fields=["steps_done", "waits_for"])
    erasure.steps_done = locked.steps_done


def erasures_due() -> list[int]:
    """Those that are not done, oldest first."""
    return list(Erasure.objects.filter(done_at__isnull=True).order_by("pk").values_list("pk", flat=True))
