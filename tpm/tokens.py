"""Access tokens by client credentials (RFC 6749, 4.4), as Cognito's `/oauth2/token` gives them."""

import math
import threading
import time
from collections.abc import Sequence

from common.outgoing.asking import Asker, NoAnswer, Patience
from tpm.errors import TokenError

RENEW_BEFORE_S = 60.0  # or half of its life, when that is shorter
RETRY_S = 1.0  # after a request that failed: callers go on with the old token, or hear of the failure at once
PATIENCE = Patience(5.0, 5.0, 10.0)
MAX_ANSWER_BYTES = 65_536


class ClientCredentials:
    """Gives a valid access token at each call: cached, renewed 60 s before it expires; threads may share it.

    While the provider is down, the old token serves until it expires, and the provider is asked once a second at most.
    """

    def __init__(self, token_url: str, client_id: str, client_secret: str, scopes: Sequence[str]) -> None:
        self._token_url = token_url
        self._credentials = (client_id, client_secret)
        self._scopes = " ".join(scopes)
        self._renewing = threading.Lock()
        self._token = ""
        self._renew_at = 0.0  # by the monotonic clock, as all here
        self._expires_at = 0.0
        self._failure: TokenError | None = None

    def __call__(self) -> str:
        """Return a token; raises TokenError."""
        token = self._token
        if self._renewing.acquire(blocking=not self._lives()):  # who has a token does not wait for another's renewal
            try:
                if time.monotonic() >= self._renew_at:
                    self._renew()
                if self._failure is not None and (self._failure.permanent or not self._lives()):
                    raise TokenError(str(self._failure), permanent=self._failure.permanent)
                return self._token
            finally:
                self._renewing.release()
        return token

    def forget(self) -> None:
        """Ask for a new token at the next call: the service refused this one."""
        self._renew_at = self._expires_at = 0.0

    def _lives(self) -> bool:
        return time.monotonic() < self._expires_at

    def _renew(self) -> None:
        asked_at = time.monotonic()
        try:
            self._token, expires_in = self._request()
        except TokenError as error:
            self._failure, self._renew_at = error, time.monotonic() + RETRY_S
            return
        self._failure = None
        self._expires_at = asked_at + expires_in
        self._renew_at = self._expires_at - min(RENEW_BEFORE_S, expires_in / 2)

    def _request(self) -> tuple[str, float]:
        form = {"grant_type": "client_credentials", "scope": self._scopes}
        try:
            with Asker() as asker:
                answer = asker.ask(
                    "POST",
                    self._token_url,
                    data=form,
                    auth=self._credentials,
                    patience=PATIENCE,
                    most=MAX_ANSWER_BYTES,
                )
        except NoAnswer as error:
            raise TokenError(f"{self._token_url}: {error}", permanent=False) from error
        if answer.status != 200:
            permanent = 400 <= answer.status < 500 and answer.status != 429
            raise TokenError(f"{self._token_url}: expected 200, got {answer.status}", permanent=permanent)
        try:
            body = answer.json()
            token, expires_in = str(body["access_token"]), float(body["expires_in"])
        except (ValueError, KeyError, TypeError) as error:
            raise TokenError(f"{self._token_url}: the answer holds no access token", permanent=False) from error
        if not 0 < expires_in < math.inf:  # which NaN is not, either
            raise TokenError(f"{self._token_url}: expires_in: expected seconds, got {expires_in}", permanent=False)
        return token, expires_in
