"""What the room refuses, and what to do about it.

CertificatesError
├── RequestRefusedError        a request for a certificate (CSR) is not signed; the message says what was expected
└── AuthorityUnavailableError  nothing can be signed now
    └── AuthorityRefusedError  nor later, unless a person does something
"""


class CertificatesError(Exception):
    """The root; the message is a sentence for operators, in English."""


class RequestRefusedError(CertificatesError):
    """The certificate request is not one that the authority signs."""


class AuthorityUnavailableError(CertificatesError):
    """The TPM service does not sign now; the same will be tried again."""

    permanent = False


class AuthorityRefusedError(AuthorityUnavailableError):
    """The TPM service refuses, or there is no authority: a person is needed."""

    permanent = True
