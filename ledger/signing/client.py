"""The way to the TPM service, with the credentials of the settings."""

from functools import lru_cache

from django.conf import settings

from tpm.client import TpmClient
from tpm.tokens import ClientCredentials


def client() -> TpmClient:
    """One HTTP session a process, and another where the settings say otherwise."""
    return _client(
        settings.TPM_SERVICE_URL,
        settings.TPM_TOKEN_URL,
        settings.TPM_CLIENT_ID,
        settings.TPM_CLIENT_SECRET,
        tuple(settings.TPM_SCOPES),
    )


@lru_cache(maxsize=4)
def _client(url: str, token_url: str, client_id: str, client_secret: str, scopes: tuple[str, ...]) -> TpmClient:
    return TpmClient(url, ClientCredentials(token_url, client_id, client_secret, list(scopes)))
