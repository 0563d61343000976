"""The table of OCPP's messages in docs/ocpp.md, made from the schemas, the handlers, the commands and the tests.

Import it only after django.setup().
"""

from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path

from gateway.ocpp.handling import V16, V21, V201
from gateway.ocpp.schemas import FOLDERS
from gateway.ocpp.server.versions import HANDLERS
from stations.commands.kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "ocpp.md"
BEGIN, END = "<!-- made by `make papers` -->\n", "<!-- end of what is made -->\n"
VERSIONS = (V16, V201, V21)
FROM, TO = "station → us", "us → station"
# What no handler and no command names, so that nothing in the code tells who says it.
STATIONS_OWN = {
    *(
        "BatterySwap",
        "GetCertificateChainStatus",
        "NotifyDERAlarm",
        "NotifyDERStartStop",
    ),
    *("NotifyPriorityCharging", "NotifySettlement", "OpenPeriodicEventStream"),
    *("ClosePeriodicEventStream", "NotifyPeriodicEventStream", "PullDynamicScheduleUpdate", "ReportDERControl"),
    *("VatNumberValidation", "Get15118EVCertificate", "GetCertificateStatus"),
}
WHITEPAPER = {"ExtendedTriggerMessage", "GetLog", "SignedUpdateFirmware"}
BOTH_WAYS = {"DataTransfer"}
TESTS = ("tests/gateway/ocpp", "tests/stations/commands", "tests/stations/load", "tests/stations/certificates")


def actions(version: str) -> set[str]:
    """The names of all requests of a version."""
    folder = resources.files("ocpp") / FOLDERS[version] / "schemas"
    names = (file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json"))
    return {name.removesuffix("Request") for name in names if not name.endswith("Response")}


def said_by_us(version: str) -> set[str]:
    """The messages of the commands; of some there are two in 1.6, the one of its security whitepaper besides."""
    named = {kind.actions[version] for kind in KINDS.values() if version in kind.actions}
    composing = (ROOT / "gateway" / "ocpp" / "v16" / "composing.py").read_text()
    return named | {one for one in WHITEPAPER if version == V16 and f'"{one}"' in composing}


def rows() -> Iterator[str]:
    """A line for each message and direction."""
    for action in sorted({name for version in VERSIONS for name in actions(version)}):
        ours = any(action in said_by_us(version) for version in VERSIONS)
        theirs = action in STATIONS_OWN or any(action in HANDLERS[version] for version in VERSIONS)
        if theirs:
            yield _row(action, FROM, {version: action in HANDLERS[version] for version in VERSIONS})
        if ours or not theirs or action in BOTH_WAYS:
            yield _row(action, TO, {version: action in said_by_us(version) for version in VERSIONS})


def _row(action: str, direction: str, supported: dict[str, bool]) -> str:
    cells = [("yes" if supported[version] else "no") if action in actions(version) else "–" for version in VERSIONS]
    test = ""
    if any(supported.values()):  # each command is composed in each version there
        test = tests_of(action) if direction == FROM else "`test_composing`"
    return f"| {action} | {direction} | {' | '.join(cells)} | {test} |"


@cache
def _sources() -> dict[str, str]:
    files = (path for folder in TESTS for path in sorted((ROOT / folder).rglob("test_*.py")))
    return {path.stem: path.read_text() for path in files}


def tests_of(action: str) -> str:
    """The test file that names it most often; "" where none does."""
    counts = {name: text.count(f'"{action}"') for name, text in _sources().items()}
    best = max(counts, key=lambda name: counts[name], default="")
    return f"`{best}`" if counts.get(best) else ""


def table() -> str:
    """What stands in docs/ocpp.md between the two marks."""
    head = ["| message | who says it | 1.6 | 2.0.1 | 2.1 | test |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *rows()]) + "\n"


def page() -> str:
    """docs/ocpp.md with the table of today."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after
