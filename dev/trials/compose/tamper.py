"""A file of the TPM service is changed in its volume, from outside; then it is put back."""

import json
from typing import Any

from dev.common.steps import StackError, step
from dev.containers.stack import Stack
from dev.trials.compose.portal import ADMINISTRATOR, Portal, State

MOUNTED, VICTIM = "/app", "tpm/service/keys/signing.py"  # the volume's place in the service, and the file in it
TPM_ALERTS = {"tpm_unavailable", "tpm_not_attested"}  # as the service says it, and as the evidence does
NOTICED_S = 30  # inotify tells at once; what takes time is a container to look with
REFUSED_S = 150  # 30 s between two tries to record, 30 s until the evidence is asked for
AGAIN_S = 240
ASK_HEALTH = """
import json, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen("http://tpm-api:8100/v1/health", timeout=5)
except urllib.error.HTTPError as error:
    answer = error
print(json.dumps([answer.status, json.load(answer)]))
"""
ASK_SIGNATURE = """
from django.conf import settings
from tpm.client import TpmClient, TpmError
from tpm.tokens import ClientCredentials
client = (settings.TPM_CLIENT_ID, settings.TPM_CLIENT_SECRET)
credentials = ClientCredentials(settings.TPM_TOKEN_URL, *client, settings.TPM_SCOPES)
try:
    TpmClient(settings.TPM_SERVICE_URL, credentials).sign("ledger", bytes(32))
    print("signed")
except TpmError as error:
    print(error.code)
"""


def tamper_and_mend(stack: Stack, portal: Portal, *, first: int, count: int) -> None:
    """Change one file: nothing is signed or recorded, the admin is red. Put it back, start the service: all catches up.

    `count` sessions from row `first` on are imported meanwhile. Raises StackError for what goes otherwise.
    """
    expect(health(stack), 200, "verified")
    before = portal.state()
    with step("a file in the TPM service's volume is changed"):
        original = _read(stack)
        _write(stack, original + "\n# changed\n")
    try:
        _see_it_refused(stack, portal, before, first=first, count=count)
    finally:
        with step("the file is put back"):
            _write(stack, original)
    with step("the running service does not trust the mended file") as remarks:
        status, body = health(stack)
        expect((status, body), 503, "failed")
        remarks.append(f"{status}, integrity {body['integrity']}")
    with step("the TPM service is started again, and healthy"):
        stack.compose("restart", "tpm")
        stack.wait_for(lambda: stack.health("tpm") == "healthy", "a healthy TPM service", AGAIN_S)
        expect(health(stack), 200, "verified")
    with step("everything catches up") as remarks:
        state = portal.wait_recorded(AGAIN_S)
        if state.entries != before.entries + count:
            raise StackError(f"expected {before.entries + count} entries, got {state.entries}")
        remarks.append(f"{state.recorded} recorded")
    with step("the admin is green again"):
        see_in_admin(portal, red=False)


def _see_it_refused(stack: Stack, portal: Portal, before: State, *, first: int, count: int) -> None:
    with step("the TPM service answers integrity_failed") as remarks:
        stack.wait_for(lambda: health(stack)[0] == 503, "health to answer 503", NOTICED_S)
        expect(health(stack), 503, "failed")
        code = portal.python(ASK_SIGNATURE)
        if code != "integrity_failed":
            raise StackError(f"asked for a signature: expected integrity_failed, got {code}")
        remarks.append("health 503, signing integrity_failed")
    with step(f"{count} more sessions come, and recording stands still") as remarks:
        portal.import_sessions(first, count)
        portal.wait_alert(TPM_ALERTS, REFUSED_S)
        state = portal.state()
        if state.recorded != before.recorded or state.entries != before.entries + count:
            raise StackError(f"expected {before.recorded} recorded of {before.entries + count}, got {state}")
        remarks.append(f"{state.recorded} of {state.entries} recorded")
    with step("the admin shows it in red"):
        stack.wait_for(lambda: _red(portal), "a refused TPM service in the admin", REFUSED_S)
        see_in_admin(portal, red=True)


def health(stack: Stack) -> tuple[int, dict[str, Any]]:
    """Ask the TPM service's health from the worker: status and body."""
    status, body = json.loads(stack.execute("worker", "python3", "-c", ASK_HEALTH))
    return status, body


def expect(found: tuple[int, dict[str, Any]], status: int, integrity: str) -> None:
    if (found[0], found[1].get("integrity")) != (status, integrity):
        raise StackError(f"health: expected {status} and integrity {integrity}, got {found[0]} and {found[1]}")


def see_in_admin(portal: Portal, *, red: bool) -> None:
    """Look, as the administrator and over HTTP, at the TPM services; raises StackError."""
    client = portal.logged_in(ADMINISTRATOR)
    index = portal.page(client, "/admin/")
    services = portal.page(client, "/admin/tpm/tpmservice/")
    expected, other = ("ev-tpm-bad", "ev-tpm-good") if red else ("ev-tpm-good", "ev-tpm-bad")
    for name, page in (("/admin/", index), ("/admin/tpm/tpmservice/", services)):
        if expected not in page or other in page:
            raise StackError(f"{name}: expected the TPM service as {expected}")
    if red and "refused" not in services:
        raise StackError("/admin/tpm/tpmservice/: expected the word refused")


def _red(portal: Portal) -> bool:
    try:
        see_in_admin(portal, red=True)
    except StackError:
        return False
    return True


def _volume(stack: Stack) -> str:
    """The volume's name in the engine: that of the release which runs."""
    mounts = {mount["Destination"]: mount["Name"] for mount in stack.inspect("tpm")["Mounts"] if "Name" in mount}
    return str(mounts[MOUNTED])


def _read(stack: Stack) -> str:
    return stack.engine.docker(*_beside(stack), "cat", f"/volume/{VICTIM}")


def _write(stack: Stack, text: str) -> None:
    """As root of the host could: into the volume, while the service has it mounted read-only."""
    stack.engine.docker(*_beside(stack, "--interactive"), "sh", "-c", f"cat > /volume/{VICTIM}", stdin=text)


def _beside(stack: Stack, *options: str) -> list[str]:
    alone = ("run", "--rm", "--network", "none", "--user", "0")
    return [*alone, *options, "--volume", f"{_volume(stack)}:/volume", "--entrypoint", "", "evportal/swtpm"]
