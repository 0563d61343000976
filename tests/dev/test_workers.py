"""Webhooks have a worker of their own wherever the portal runs: receivers may be slow, and hold up nothing else."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from dev.stack.layout import ROOT
from dev.stack.parts import GROUPS
from dev.trials.portal_stack import PortalStack

QUEUES = {queue.name for queue in settings.CELERY_TASK_QUEUES}


def taken(command: Sequence[str]) -> set[str]:
    """The queues that a worker of this command line takes (celery worker --help)."""
    if "--queues" in command:
        return set(command[command.index("--queues") + 1].split(","))
    excluded = command[command.index("--exclude-queues") + 1] if "--exclude-queues" in command else ""
    return QUEUES - set(excluded.split(","))


def node_name(command: Sequence[str]) -> str:
    return command[command.index("--hostname") + 1] if "--hostname" in command else "celery@%h"


def procfile() -> dict[str, list[str]]:
    lines = (ROOT / "dev" / "Procfile").read_text().splitlines()
    parts = (line.split(":", 1) for line in lines if not line.startswith("#"))
    return {name: shlex.split(command) for name, command in parts}


def of_the_demo(_: Path) -> dict[str, list[str]]:
    return procfile()


def of_the_containers(_: Path) -> dict[str, list[str]]:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return {name: service.get("command", []) for name, service in services.items()}


def of_chaos_and_bench(tmp_path: Path) -> dict[str, list[str]]:
    stack = PortalStack(tmp_path)
    return {child.name: list(child.argv) for child in (stack.worker, stack.webhooks, stack.beat)}


@pytest.mark.parametrize("system", [of_the_demo, of_the_containers, of_chaos_and_bench])
def test_webhooks_hold_up_no_other_queue(system: Callable[[Path], dict[str, list[str]]], tmp_path: Path) -> None:
    commands = system(tmp_path)
    workers = {name: command for name, command in commands.items() if "celery" in command and "worker" in command}
    assert {name: taken(command) for name, command in workers.items()} == {
        "worker": QUEUES - {"webhooks"},
        "webhooks": {"webhooks"},
    }
    assert len({node_name(command) for command in workers.values()}) == 2  # Celery tells them apart by it


def test_the_demo_starts_each_line_of_the_procfile() -> None:
    assert {part.name for group in GROUPS for part in group.parts} == procfile().keys()
