"""How the ledger forgets a person whose account is deleted."""

from accounts.models import Erasure
from accounts.privacy.erasure import ErasureWaits, Step, step_add
from ledger.keys.erasure import customer_erase
from stations.errors import ChargeRunningError


def forget(erasure: Erasure) -> None:
    """Their keys are destroyed; the master key follows, at once or by the ledger's sweep (alert `master_key_due`)."""
    try:
        customer_erase(customer=erasure.customer, although_charging=erasure.although_charging)
    except ChargeRunningError as error:
        raise ErasureWaits(f"a charge is running: {error}") from error


def add_step() -> None:
    step_add(Step("ledger", 20, forget))
