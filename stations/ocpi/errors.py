"""What an OCPI request is refused for.

    OcpiError                   HTTP 200: the request was understood, its content was not acceptable
    ├── Invalid                 2001 invalid or missing parameters
    ├── PeerUnusable            3001 the partner's own interface does not answer as it should
    ├── VersionUnsupported      3002 the partner does not speak the version it registers with
    └── EndpointsMissing        3003 the partner lacks what we need

HTTP errors are those of the transport (chapter "Status codes"): 400 no JSON, 401 unknown token, 404 no such object,
405 method, 413, 415, 429, 503. An error of content must not be an HTTP error there.
"""

from typing import ClassVar


class OcpiError(Exception):
    status_code: ClassVar[int] = 2000


class Invalid(OcpiError):
    status_code = 2001


class PeerUnusable(OcpiError):
    status_code = 3001


class VersionUnsupported(OcpiError):
    status_code = 3002


class EndpointsMissing(OcpiError):
    status_code = 3003


class TokenUnknown(Exception):
    """The credentials token belongs to nobody, or may not be used for this."""


class MethodRefused(Exception):
    """POST by somebody registered, or PUT or DELETE by somebody who is not: HTTP 405."""
