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
    ├── CommandRefusedError         the station cannot be asked that, or not now
    ├── ImportStateError            the import is not in the state in which this can be done
    ├── MeterKeyError               a key of a meter that cannot be read, or not be confirmed or withdrawn
    ├── CorrectionRefusedError      this session cannot be credited or corrected, or was already
    └── ImportFileError             a file that cannot be imported at all
        ├── ImportRowError          one row of it that cannot
        └── ZoneMissingError        its times name no zone, and nobody said it

`code` is stable: clients may rely on it. Only RecordingUnavailableError is mended by repeating the
same call later.
"""

from django.utils.translation import gettext

from common.errors import Refused


class StationsError(Refused):
    code = "stations_error"


class StationRefusedError(StationsError):
    code = "credentials_invalid"


class ConnectorUnknownError(StationsError):
    code, status = "connector_unknown", 422


class SessionConflictError(StationsError):
    code, status = "session_conflict", 409


class SessionEndedError(StationsError):
    code, status = "session_closed", 409


class TimesImpossibleError(StationsError):
    code, status = "stop_before_start", 422


class MeterKeyError(StationsError):
    code, status = "meter_key_invalid", 422


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

    code, status = "unavailable", 503


class CommandRefusedError(StationsError):
    code, status = "command_refused", 409


class ImportStateError(StationsError):
    code = "import_state"


class CorrectionRefusedError(StationsError):
    code = "correction_refused"


class ImportFileError(StationsError):
    code = "import_file_unusable"


class ZoneMissingError(ImportFileError):
    code = "time_zone_missing"


class ImportRowError(ImportFileError):
    """`field` is the column, empty where the whole row is meant; `expected` and `got` complete the sentence."""

    code = "import_row_unusable"

    def __init__(self, expected: str, got: str = "", *, field: str = "") -> None:
        self.field, self.expected, self.got = field, expected, got
        named = f"{field}: " if field else ""
        words = gettext("expected %(expected)s, got %(got)s") if got else gettext("expected %(expected)s")
        super().__init__(named + words % {"expected": expected, "got": got})
