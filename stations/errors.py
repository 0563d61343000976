"""What the package's services refuse, and why.

    StationsError
    ├── StationRefusedError         unknown station or wrong credential
    ├── ConnectorUnknownError       the station has no such connector
    ├── SessionConflictError        the same transaction was reported before with other content
    ├── SessionEndedError           meter values for a session that has stopped
    ├── TimesImpossibleError        it stopped before it started
    ├── TokenTakenError             the token belongs to another customer
    ├── LinkCodeRefusedError        no open code for linking is like this one
    ├── LinkCodesThrottledError     too many wrong ones lately, or they cannot be counted now
    ├── ChargeRunningError          not while the customer charges
    ├── RecordingUnavailableError   a closed session cannot be taken for recording now
    └── ImportFileError             a file that cannot be imported at all
        └── ImportRowError          one row of it that cannot

`code` is stable: clients may rely on it. Only RecordingUnavailableError is mended by repeating the
same call later.
"""

from typing import ClassVar


class StationsError(Exception):
    code: ClassVar[str] = "stations_error"


class StationRefusedError(StationsError):
    code = "credentials_invalid"


class ConnectorUnknownError(StationsError):
    code = "connector_unknown"


class SessionConflictError(StationsError):
    code = "session_conflict"


class SessionEndedError(StationsError):
    code = "session_closed"


class TimesImpossibleError(StationsError):
    code = "stop_before_start"


class TokenTakenError(StationsError):
    code = "token_taken"


class LinkCodeRefusedError(StationsError):
    """Wrong, expired, used, replaced or for a token that is taken: it never says which."""

    code = "link_code_refused"


class LinkCodesThrottledError(StationsError):
    code = "link_codes_throttled"


class ChargeRunningError(StationsError):
    code = "charge_running"


class RecordingUnavailableError(StationsError):
    """Raised by a receiver of `sessions_closed`: nothing was closed, repeat the same call later."""

    code = "unavailable"


class ImportFileError(StationsError):
    code = "import_file_unusable"


class ImportRowError(ImportFileError):
    code = "import_row_unusable"
