"""What client and tokens both know."""


class TokenError(Exception):
    """No token was to be had. `permanent` tells a refusal of the credentials or scopes from a provider that is down."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent
