"""What `manage.py check --deploy` says about the TPM services."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register


@register(Tags.security, deploy=True)
def attestation_is_required(**_: Any) -> list[CheckMessage]:
    """Warn (tpm.W001) unless EVPORTAL_TPM_ATTESTATION is `required`."""
    if settings.TPM_ATTESTATION == "required":
        return []
    hint = "Enrol the service with `manage.py tpm_enrol` and remove EVPORTAL_TPM_ATTESTATION."
    return [Warning("Records are signed through TPM services that nobody attested.", hint=hint, id="tpm.W001")]
