"""The portal in its containers, used as people use it: by its commands, and over HTTP."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import httpx2

from dev.common.steps import StackError
from dev.containers.prepare import Files
from dev.containers.stack import Stack
from dev.stack.layout import ROOT
from dev.trials.portal_login import Visitor

DATA = ROOT / "data" / "workplace_charging_sessions.csv"
VERIFIER = ROOT / "ledger" / "standalone" / "verify_receipt.py"
ADMINISTRATOR, DRIVER = "admin", "driver"
RECEIPTS = 3
VERIFY_TIMEOUT_S = 120

GIVE_TOKEN = """
from django.db.models import Count
from django.core.management import call_command
from stations.models import IdToken
token = IdToken.objects.annotate(count=Count("sessions")).order_by("-count", "pk").first()
call_command("link_token", token.uid, "driver", type=token.type, verbosity=0)
"""
STATE = """
import json
from ledger.models import Alert, ChainTransaction, LedgerEntry
recorded = LedgerEntry.objects.filter(transaction__status=ChainTransaction.Status.IRREVERSIBLE)
alerts = Alert.objects.filter(closed_at__isnull=True)
drivers = recorded.filter(session__customer__username="driver")
print(json.dumps({{
    "entries": LedgerEntry.objects.count(),
    "recorded": recorded.count(),
    "alerts": sorted({{alert.code for alert in alerts}}),
    "driver": [str(pk) for pk in drivers.values_list("session_id", flat=True)[:{limit}]],
}}))
"""


FINGERPRINT = """
from tpm.verifier.endorsement import fingerprint
from tpm.models import TpmService
print(fingerprint(bytes(TpmService.objects.get().ak_public)))
"""


@dataclass(frozen=True)
class State:
    """Ledger entries, how many are irreversible, codes of open alerts, and some of the driver's recorded sessions."""

    entries: int
    recorded: int
    alerts: list[str]
    driver: list[str]


class Portal:
    """The portal of a stack; `url` is where the host reaches its pages."""

    def __init__(self, stack: Stack, url: str, nodes: list[str], files: Files) -> None:
        self.stack = stack
        self.url = url
        self.nodes = nodes
        self.visitors = {
            name: Visitor(url, name, files.person(name, group))
            for name, group in ((ADMINISTRATOR, "admin"), (DRIVER, "customer"))
        }

    def make_logins(self) -> None:
        """Both log in: at the provider, and with a second factor that they set up. Raises StackError."""
        for visitor in self.visitors.values():
            page = visitor.log_in()
            if page.url.path != "/":
                raise StackError(f"logging in as {visitor.username}: expected the history, got {page.url.path}")

    def give_driver_a_token(self) -> None:
        """The driver gets the token with the most sessions."""
        self.python(GIVE_TOKEN)

    def import_sessions(self, first: int, count: int) -> None:
        """Import these rows of the real sessions, in the worker's container."""
        with DATA.open() as file:
            head = next(file)
            rows = "".join(islice(file, first, first + count))
        self.stack.execute("worker", "sh", "-c", "cat > /tmp/sessions.csv", stdin=head + rows)
        command = ("import_sessions", "/tmp/sessions.csv", "--time-zone", "America/New_York")  # noqa: S108
        self.stack.execute("worker", "python3", "manage.py", *command)

    def state(self) -> State:
        return State(**json.loads(self.python(STATE.format(limit=RECEIPTS))))

    def wait_recorded(self, timeout_s: float) -> State:
        """Wait until every entry is irreversible."""
        self._wait(lambda state: state.recorded == state.entries, "every session to be recorded", timeout_s)
        return self.state()

    def wait_alert(self, codes: set[str], timeout_s: float) -> None:
        """Wait until an alert of one of these codes is open."""
        self._wait(lambda state: not codes.isdisjoint(state.alerts), f"an alert {' or '.join(codes)}", timeout_s)

    def _wait(self, check: Callable[[State], bool], what: str, timeout_s: float) -> None:
        try:
            self.stack.wait_for(lambda: check(self.state()), what, timeout_s)
        except StackError as error:
            raise StackError(f"{error}\n{self.state()}\n{self.stack.logs('worker')}") from error

    def audit(self) -> str:
        """Run ledger_audit in the worker's container; returns its first line, raises StackError on any difference."""
        return self.stack.execute("worker", "python3", "manage.py", "ledger_audit").splitlines()[0]

    def logged_in(self, name: str) -> httpx2.Client:
        """The client of somebody who is logged in since `make_logins`."""
        return self.visitors[name].client

    def page(self, client: httpx2.Client, path: str) -> str:
        answer = client.get(path)
        if answer.status_code != httpx2.codes.OK:
            raise StackError(f"{path}: expected 200, got {answer.status_code}")
        return answer.text

    def verify_receipts(self, session_ids: list[str], directory: Path) -> None:
        """Download these receipts as the driver, and verify each with the standalone script against both nodes."""
        pinned = self.pinned()
        client = self.logged_in(DRIVER)
        for session_id in session_ids:
            receipt = directory / f"{session_id}.json"
            receipt.write_text(self.page(client, f"/sessions/{session_id}/receipt.json"))
            self._verify(receipt, pinned)
        altered = directory / "altered.json"
        changed = json.loads(receipt.read_text())
        changed["record"]["energy_wh"] += 1
        altered.write_text(json.dumps(changed))
        try:
            self._verify(altered, pinned)
        except StackError:
            return
        raise StackError("an altered receipt: expected the verifier to refuse it, it did not")

    def _verify(self, receipt: Path, pinned: dict[str, str]) -> None:
        nodes = [option for node in self.nodes for option in ("--node", node)]
        command = [sys.executable, str(VERIFIER), str(receipt), *nodes]
        command += ["--key", pinned["EVPORTAL_LEDGER_PUBLIC_KEY"], "--chain-id", pinned["EVPORTAL_LEDGER_CHAIN_ID"]]
        command += ["--ak", pinned["AK"], "--code-hash", pinned["EVPORTAL_LEDGER_CODE_HASH"]]
        command += ["--code-updated", pinned["EVPORTAL_LEDGER_CODE_UPDATED"]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=VERIFY_TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise StackError(f"verify_receipt.py ended with status {done.returncode}:\n{done.stdout}{done.stderr}")

    def pinned(self) -> dict[str, str]:
        """What an operator publishes: the chain's id, the ledger's public key, and its TPM's attestation key (AK)."""
        lines = self.stack.execute("web", "cat", "/run/portal/env").splitlines()
        pinned = dict(line.split("=", 1) for line in lines if "=" in line)
        return pinned | {"AK": self.python(FINGERPRINT).split()[-1]}

    def python(self, code: str) -> str:
        """Run a script in the portal, in the worker's container; returns the last line that it printed, or ""."""
        command = ("python3", "manage.py", "shell", "--no-imports", "--verbosity", "0")
        return self.stack.execute("worker", *command, stdin=code).strip().rpartition("\n")[2]
