"""PURE: how a verification says that it failed. Nothing else is ever raised on hostile bytes.

AttestationError                what was shown does not prove what it should
├── MalformedError              a structure, certificate or document is not in its form
├── UnsupportedError            a well-formed thing of a kind that this version does not know
├── UntrustedError              an EK certificate leads to none of the roots (endorsement.py)
└── NotDecidedError             a step needs what an earlier one could not read (steps.py)
"""


class AttestationError(Exception):
    """The root: what was shown does not prove what it should."""


class MalformedError(AttestationError):
    """Not in its form; the message says what was expected and what came."""


class UnsupportedError(AttestationError):
    """A well-formed thing of a kind that this version does not know."""
