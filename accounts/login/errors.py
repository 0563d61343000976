"""What can go wrong at the identity provider, and with a code.

IdentityError
├── IdentityUnavailableError  it does not answer, or not sensibly, or is not set up: try again later
└── LoginRefusedError         what it or the browser sent cannot be trusted: begin anew

CodeTooEarlyError             a code of the second factor that was not looked at
"""


class IdentityError(Exception):
    """Any of them; the text is for the log, not for the person."""


class IdentityUnavailableError(IdentityError):
    pass


class LoginRefusedError(IdentityError):
    pass


class CodeTooEarlyError(Exception):
    """After wrong codes none is looked at for `wait_s` seconds: this one may well be right."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"no code is looked at for {wait_s} s")
        self.wait_s = wait_s
