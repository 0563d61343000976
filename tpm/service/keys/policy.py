"""Which policies a key or a sealed object may have: none, or "release" (tpm/service/device/policy.py)."""

from typing import TYPE_CHECKING

from tpm.service.errors import InvalidRequestError

if TYPE_CHECKING:
    from tpm.service.device.device import Device

RELEASE = "release"  # the one policy there is


def check_policy(policy: object, device: "Device") -> None:
    """Raise InvalidRequestError for what is no policy, KeyUsageError for one that cannot be had here."""
    if policy not in (None, RELEASE):
        raise InvalidRequestError(f"policy: expected null or {RELEASE!r}")
    if policy == RELEASE:
        device.check_measured()
