"""What the package's services refuse, and why.

    StationsError
    ├── StationRefusedError         unknown station or wrong credential
    ├── ConnectorUnknownError       the station has no such connector
    ├── SessionConflictError        the same transaction was reported before with other content
    ├── SessionEndedError           meter values for a session that has stopped
    ├── TimesImpossibleError        it stopped before it started
    ├── TokenTakenError             the token belongs to another customer
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


class RecordingUnavailableError(StationsError):
    """Raised by a receiver of `sessions_closed`: nothing was closed, repeat the same call later."""

    code = "unavailable"


class ImportFileError(StationsError):
    code = "import_file_unusable"


class ImportRowError(ImportFileError):
    code = "import_row_unusable"
