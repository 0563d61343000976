"""`make compose-test`: the whole system in containers, from nothing, used, tampered with, and taken down again.

    python -m dev.trials.compose.main [--sessions N] [--keep]
    python -m dev.trials.compose.main --down       take down what --keep left

What it does to this machine: it installs the Debian packages docker.io, iptables, docker-compose and debootstrap where
they are missing. It uses the Docker engine that answers (DOCKER_HOST, or the machine's); where none does it starts one
of its own, as root, which lives below var/ and is ended again, and puts the packet filter back as it was. In the engine
it makes images (evportal/*, and debian:bookworm-slim where that is missing), which stay as a cache, and containers,
networks and volumes of the project evportal-test, which go. Its secrets lie in var/compose-test, and go too.
"""

import argparse
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dev.common.processes import ProcessError, free_port
from dev.common.steps import StackError, run, step
from dev.containers import engine
from dev.containers.__main__ import make_ready
from dev.containers.engine import Engine
from dev.containers.prepare import Files
from dev.containers.stack import Stack
from dev.stack.layout import VAR, make_directories
from dev.trials.compose.isolation import check_hardening, check_isolation
from dev.trials.compose.pages import (
    check_certificates,
    check_german,
    check_public_check,
    check_queues,
    check_statements,
)
from dev.trials.compose.portal import Portal
from dev.trials.compose.tamper import see_in_admin, tamper_and_mend

PROJECT = "evportal-test"
DIRECTORY = VAR / "compose-test"
PORTS = ("WEB", "NODEOS", "READER", "COGNITO")
RECORDED_S = 180
TAMPERED_SESSIONS = 50


def test(host: Engine, stack: Stack, files: Files, ports: dict[str, int], *, sessions: int) -> None:
    """Everything that `make compose-test` promises, in order; raises StackError at the first thing that is not so."""
    make_ready(host, files, version="compose-test")
    with step("every container is up and healthy") as remarks:
        stack.up()
        remarks.append(f"{len(stack.running())} run")
    with step("no container is root, can write, or has a capability or secret") as remarks:
        remarks.append(f"{check_hardening(stack)} looked at")
    with step("no container but tpm reaches the TPM; none but worker and beat the service") as remarks:
        remarks.append(f"{check_isolation(stack)} attempts")
    nodes = [f"http://127.0.0.1:{ports[name]}" for name in ("NODEOS", "READER")]
    portal = Portal(stack, f"http://127.0.0.1:{ports['WEB']}", nodes, files)
    with step("a driver and an administrator log in at the provider, each sets up a second factor"):
        portal.make_logins()
    with step("German, and certificates of authorities, in the image"):
        check_german(portal)
        check_certificates(portal)
    with step("each queue has its worker, webhooks one of their own") as remarks:
        remarks.append(check_queues(portal))
    with step(f"{sessions} real sessions, signed by the TPM and irreversible") as remarks:
        portal.import_sessions(0, sessions)
        portal.give_driver_a_token()
        state = portal.wait_recorded(RECORDED_S)
        remarks.append(f"{state.recorded} recorded")
    with step("receipts, downloaded by the driver and verified against both nodes"):
        portal.verify_receipts(state.driver, files.directory)
    with step("/verify lets browsers ask both nodes"):
        check_public_check(portal)
    with step("a statement as PDF, from web and by e-mail from the worker") as remarks:
        remarks.append(check_statements(portal))
    with step("the admin shows an attested TPM service"):
        see_in_admin(portal, red=False)
    tamper_and_mend(stack, portal, first=sessions, count=TAMPERED_SESSIONS)
    with step("database and chain are equal (ledger_audit)") as remarks:
        remarks.append(portal.audit())


@contextmanager
def taken_down(stack: Stack, files: Files, *, keep: bool) -> Iterator[None]:
    """Whatever happens, nothing is left but images; with `keep` everything is, and how to look at it is printed."""
    take_down(stack, files)  # what a killed run left
    try:
        yield
    finally:
        if keep:
            print(f"\nKept. To look at it:\n  export DOCKER_HOST={stack.engine.host}\n  {' '.join(stack.command)} ps")
            print("To take it down:\n  .venv/bin/python -m dev.trials.compose.main --down")
        else:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # whoever is impatient now would leave half of it behind
            take_down(stack, files)


def take_down(stack: Stack, files: Files) -> None:
    """Containers, networks, volumes and secrets of the project."""
    if files.environment.exists():
        with step("taking the containers, networks and volumes down"):
            stack.down()
    shutil.rmtree(files.directory, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m dev.trials.compose.main", description="The system in containers, tested."
    )
    parser.add_argument("--sessions", type=int, default=300, help="how many real sessions (default %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    parser.add_argument("--down", action="store_true", help="take down what --keep left, and nothing else")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    make_directories()
    started = time.monotonic()
    ports = {name: free_port() for name in PORTS}
    files = Files(DIRECTORY, project=PROJECT, web_port=ports["WEB"])
    with engine.engine(keep=options.keep) as host:
        stack = Stack(host, files, ports=ports)
        if options.down:
            take_down(stack, files)
            return
        with taken_down(stack, files, keep=options.keep):
            test(host, stack, files, ports, sessions=options.sessions)
    print(f"make compose-test passed in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    run(main, StackError, ProcessError)
