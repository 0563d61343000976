"""The development stack: `python -m dev.stack up` (make demo), `down` (make stop), `status` (make status).

`up` goes from nothing, from a stopped stack, from one that was killed or left half-finished, or from a running one to
the same end: everything runs and all sessions are on the chain. Each step looks what is there and does what is missing.

Design: dev/stack/parts.py says why honcho runs twice and what stands between it and the parts.
"""

import argparse
import os
import time

import django

from dev.chain.setup import CODE_HASH, CODE_UPDATED, ChainError
from dev.common.files import locked
from dev.common.processes import ProcessError
from dev.common.steps import StackError, run, step
from dev.stack.chain import (
    chain_id,
    demo_password,
    ledger_keys,
    make_secrets,
    make_tpm_release,
    portal_client,
    set_up_chain,
    stack_environment,
    write_portal_settings,
)
from dev.stack.keep import part_file
from dev.stack.layout import PORTAL_ENV, RUN, STACK_ENV, VAR, Ports, make_directories, read_settings, write_settings
from dev.stack.parts import FOUNDATION_GROUP, GROUPS, PORTAL_GROUP, STATIONS_GROUP, clear_the_way

SHOWN = 5  # differences that the summary names


def up(began: float | None = None) -> None:
    """Bring everything to run, and say where; `began`: when `make demo` did, before it installed what was missing."""
    started = time.time() if began is None else began
    make_directories()
    try:
        with locked(RUN / "up.lock", wait=False):
            _up(started)
    except BlockingIOError:  # they would fight over the same parts
        raise StackError(f"Another make demo is at work in {VAR.parent}. Wait for it, or end it first.") from None


def _up(started: float) -> None:
    ports = Ports.chosen()
    with step("secrets and keys of its own, in var/secrets"):
        make_secrets()
        portal_client()
    _settle_environment(ports)
    with step("looking for leftovers and for strangers on our ports"):
        clear_the_way(ports)
    if not FOUNDATION_GROUP.running():
        with step("a release of the TPM service, measured and signed"):
            make_tpm_release()
    FOUNDATION_GROUP.start(ports)
    with step("the ledger's signing key, in the TPM"):
        tpm_keys = ledger_keys(ports)
    with step("contract, account and permissions on the chain"):
        key = set_up_chain(ports, tpm_keys)
        found = chain_id(ports)
        write_portal_settings(ports, found)
    sessions, driver_sessions = _fill(ports)
    sessions += _compared()
    _live(ports)
    print(_summary(ports, key=key, chain=found, sessions=sessions, driver_sessions=driver_sessions))
    print(f"make demo took {time.time() - started:.0f} s in all.")


def _settle_environment(ports: Ports) -> None:
    """Write what the Procfile reads; a stack that runs with other settings has to be stopped first."""
    environment = stack_environment(ports)
    if any(group.running() for group in GROUPS) and read_settings(STACK_ENV) != environment:
        raise StackError("The stack runs with other ports than those chosen now. Run make stop first, then make demo.")
    ports.remember()
    write_settings(STACK_ENV, "written by `make demo` at each run, read by honcho for dev/Procfile", environment)


def _fill(ports: Ports) -> tuple[str, int]:
    """Database, portal and sessions; returns which of them are recorded, and how many are the demo driver's."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evportal.settings")
    django.setup()  # only now: it reads the settings that have just been written
    from dev.stack import portal

    with step("database tables, static files, demo logins"):
        portal.prepare()
        portal.make_logins()
    with step("the TPM service, attested: its TPM, its release, the ledger's key"):
        portal.attest_tpm_service()
    with step("the ledger's master key, sealed in the TPM"):
        portal.seal_master_key()
    PORTAL_GROUP.start(ports)
    data = portal.demo_data()
    print(f"  the real sessions: {data.name}", flush=True)
    portal.import_sessions(data)
    driver_sessions = portal.give_driver_a_token()
    print("  signed by the TPM, sent to the chain, waiting until irreversible", flush=True)
    result = portal.wait_until_irreversible()
    if result.failed:  # such as after the database alone was deleted: the chain has these sessions already
        refused = f"{result.failed:,} others cannot be recorded: see the alerts in the administration"
        return f"{result.done:,} charging sessions are signed by the TPM and irreversible; {refused}.", driver_sessions
    recorded = f"All {result.done:,} charging sessions are signed by the TPM and irreversible on the chain."
    return recorded, driver_sessions


def _live(ports: Ports) -> None:
    from dev.stack import portal

    with step("four simulated stations, which charge from now on"):
        portal.live_stations()
    STATIONS_GROUP.start(ports)


def _compared() -> str:
    """What differs between database and chain, such as after somebody did step 5 below; "" where nothing does."""
    from dev.stack import portal

    with step("comparing every session with the chain"):
        found = portal.differing()
    if not found:
        return ""
    more = (
        [f"    … and {len(found) - SHOWN:,} more: .venv/bin/python manage.py ledger_audit"]
        if len(found) > SHOWN
        else []
    )
    return "\n\n".join(
        (
            f"\n\n  {len(found):,} of them no longer equal what was recorded:",
            "\n".join([*(f"    {line}" for line in found[:SHOWN]), *more]),
            "  As recorded again:  .venv/bin/python manage.py ledger_restore --repair",
        )
    )


def _summary(ports: Ports, *, key: str, chain: str, sessions: str, driver_sessions: int) -> str:
    nodes = f"--node {ports.url('NODEOS')} --node {ports.url('READER')}"
    pins = read_settings(PORTAL_ENV)
    return f"""
EVPortal runs. {sessions}

  The portal      {ports.url("WEB")}/
  Log in as       driver   / {demo_password("driver")}   a driver: {driver_sessions:,} sessions are theirs
                  operator / {demo_password("operator")}   runs the stations
                  auditor  / {demo_password("auditor")}   reads everything, changes nothing
                  admin    / {demo_password("admin")}   may do everything
  Administration  {ports.url("WEB")}/admin/   (the last three)
  Second factor   each sets one up at the first login: scan the QR code with any authenticator app, or
                  without a phone: .venv/bin/python -m dev.totp KEY   prints the code for the typed key

  The data        real sessions (CC0), moved by whole days so that the last ones ended the day before the first
                  make demo, and priced where the data set says 0; as published: data/. Each names its import
                  (a demo of before keeps its dates). Beside them four simulated stations charge all day, by OCPP 1.6,
                  2.0.1 and 2.1 at {ports.url("GATEWAY").replace("http", "ws", 1)}/ocpp, one of them the driver's car:
                  {ports.url("WEB")}/admin/stations/station/?q=DEMO-LIVE

  Keep offline    var/secrets/ledger_recovery_key.pem opens the ledger's master key without the TPM

What to look at
  1. Log in as the driver, open a session and press "Verify now": each step shows what was compared.
  2. Download its receipt and verify it without our servers, against two nodes:
       .venv/bin/python ledger/standalone/verify_receipt.py RECEIPT.json {nodes} \\
         --chain-id {chain} \\
         --key {key} \\
         --code-hash {pins[CODE_HASH]} --code-updated {pins[CODE_UPDATED]}
  3. Compare every session of the database with the chain:  .venv/bin/python manage.py ledger_audit
  4. Watch a charge live, with power and cost so far: "Charging now" on the driver's first page.
  5. Change 1 Wh of the driver's newest session in the database:  .venv/bin/python -m dev.tamper
     and look at 1 to 3 again.
  6. Put it back to what was recorded:  .venv/bin/python manage.py ledger_restore --repair --dry-run
     and then without --dry-run.

make status shows what runs, make stop ends it; logs are in var/log. make demo again changes nothing.
"""


def down() -> None:
    """End what `up` started: first the portal, then what it stands on. Safe to call twice."""
    ended: list[str] = []
    for group in reversed(GROUPS):
        with step(f"ending the {group.name}") as remarks:
            ended += (stopped := group.stop())
            remarks.append(", ".join(stopped) or "nothing was running")
    print("The data stay in var; make demo starts again with them." if ended else "Nothing was running.")


def status() -> bool:
    """Print each part's state; tells whether all run."""
    ports = Ports.chosen()
    all_ready = True
    for part in (part for group in GROUPS for part in group.parts):
        pid = part_file(part.name).pid()
        ready = pid is not None and part.ready(ports)
        all_ready = all_ready and ready
        where = ", ".join(f"{name.lower()} {ports[name]}" for name in part.ports)
        state = "answers" if ready else "does not answer" if pid else "does not run"
        print(f"  {part.name:<9} {state:<16} {f'pid {pid}' if pid else '':<12} {where}")
    return all_ready


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.stack", description="The development stack.")
    parser.add_argument("command", choices=["up", "down", "status"])
    parser.add_argument("--began", type=int, metavar="SECONDS", help="when make demo began, as `date +%%s` says it")
    chosen = parser.parse_args(arguments)
    command = chosen.command
    if command == "status":
        return 0 if status() else 1
    try:
        up(chosen.began) if command == "up" else down()
    except KeyboardInterrupt:
        print("\nInterrupted. What was started goes on running: make demo goes on from here, make stop ends it.")
        return 130
    return 0


if __name__ == "__main__":
    run(main, StackError, ProcessError, ChainError)
