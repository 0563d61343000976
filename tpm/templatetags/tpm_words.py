"""Template tags for TPM services; the words are in tpm/register/words.py."""

from typing import Any

from django import template

from tpm.models import TpmService
from tpm.register.words import age_words, hardware_words, is_red, measured_words, state_words

register = template.Library()


@register.inclusion_tag("admin/_tpm_services.html")
def tpm_services() -> dict[str, Any]:
    """For the admin's home: each TPM service with its last attestation, what is wrong first."""
    rows = [
        {
            "service": service,
            "red": is_red(service),
            "state": state_words(service),
            "age": age_words(service.evidence_age),
            "hardware": hardware_words(service.hardware),
            "measured": measured_words(service.measured),
        }
        for service in TpmService.objects.all()
    ]
    return {"rows": sorted(rows, key=lambda row: not row["red"])}
