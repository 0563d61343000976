"""What can go wrong at the identity provider.

IdentityError
├── IdentityUnavailableError  it does not answer, or not sensibly, or is not set up: try again later
└── LoginRefusedError         what it or the browser sent cannot be trusted: begin anew
"""


class IdentityError(Exception):
    """Any of them; the text is for the log, not for the person."""


class IdentityUnavailableError(IdentityError):
    pass


class LoginRefusedError(IdentityError):
    pass
