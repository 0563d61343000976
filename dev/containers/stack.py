"""The containers of compose.yaml as one thing: started, asked, run into, and taken down with their volumes."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from typing import Any

from dev.common.processes import wait_until
from dev.common.steps import StackError
from dev.containers.engine import Engine, docker_program, run
from dev.containers.prepare import Files
from dev.stack.layout import ROOT

POLL_S = 1.0
UP_TIMEOUT_S = 500
HEALTHY_TIMEOUT_S = 200
DOWN_TIMEOUT_S = 200
LOG_LINES = 25


class Stack:
    """compose.yaml with the settings of dev/containers/prepare.py; `ports` are those of the host, by service."""

    def __init__(self, engine: Engine, files: Files, *, ports: Mapping[str, int]) -> None:
        self.engine = engine
        self.project = files.project
        self.environment_file = files.environment
        self._label = f"label=com.docker.compose.project={files.project}"
        # without a developer's own settings of the portal, which compose.yaml would take up
        outer = {name: value for name, value in engine.environment.items() if not name.startswith("EVPORTAL_")}
        self._env = outer | {f"EVPORTAL_{name}_PORT": str(port) for name, port in ports.items()}

    @property
    def command(self) -> list[str]:
        """The beginning of every command line of docker-compose for this stack."""
        program = ["docker-compose"] if shutil.which("docker-compose") else [docker_program(), "compose"]
        return [*program, "--file", str(ROOT / "compose.yaml"), "--env-file", str(self.environment_file)]

    def compose(self, *arguments: str, timeout_s: float = 120, stdin: str | None = None) -> str:
        """Run docker-compose and return what it printed; raises StackError."""
        return run([*self.command, *arguments], env=self._env, timeout_s=timeout_s, stdin=stdin)

    def up(self) -> None:
        """Start everything and return when each service is healthy; raises StackError with the logs of the others."""
        try:
            self.compose("up", "--detach", "--no-build", timeout_s=UP_TIMEOUT_S)
        except StackError as error:
            raise StackError(f"{error}\n{self.unwell()}") from error
        self.wait_for(lambda: not self._unhealthy(), "every container to be healthy", HEALTHY_TIMEOUT_S)

    def down(self) -> None:
        """End and delete the containers, their networks and their volumes."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "20", timeout_s=DOWN_TIMEOUT_S)
        left = self.engine.docker("volume", "ls", "--quiet", "--filter", self._label).split()
        if left:  # of earlier releases
            self.engine.docker("volume", "rm", *left)

    def execute(self, service: str, *command: str, timeout_s: float = 300, stdin: str | None = None) -> str:
        """Run a command in a running container and return what it printed; raises StackError."""
        interactive = ["--interactive"] if stdin is not None else []
        return self.engine.docker(
            "exec", *interactive, self.container(service), *command, timeout_s=timeout_s, stdin=stdin
        )

    def container(self, service: str) -> str:
        """The id of a service's container; raises StackError when there is none."""
        return str(self.inspect(service)["Id"])

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows of a service's container; raises StackError when there is none."""
        try:
            return self.containers()[service]
        except KeyError:
            raise StackError(f"there is no container of the service {service}") from None

    def containers(self) -> dict[str, dict[str, Any]]:
        """What the engine knows of every container of this stack, by service, running or not."""
        ids = self.engine.docker("ps", "--all", "--quiet", "--filter", self._label).split()
        described = json.loads(self.engine.docker("inspect", *ids)) if ids else []
        return {found["Config"]["Labels"]["com.docker.compose.service"]: found for found in described}

    def running(self) -> list[str]:
        """The names of the services that run now."""
        return sorted(name for name, found in self.containers().items() if found["State"]["Running"])

    def health(self, service: str) -> str:
        """`healthy`, `unhealthy`, `starting`, or the status of a container without health check."""
        return _state(self.inspect(service)["State"])

    def wait_for(self, check: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Wait until `check()` is true; raises StackError with what is unwell."""
        if not wait_until(check, timeout_s, poll_s=POLL_S):
            raise StackError(f"expected {what} within {timeout_s:g} s\n{self.unwell()}")

    def unwell(self) -> str:
        """State and last words of each container that is not as it should be."""
        parts = [f"--- {service}: {state}\n{self.logs(service)}" for service, state in self._unhealthy().items()]
        return "\n".join(parts)

    def logs(self, service: str) -> str:
        """The last lines that a container printed."""
        argv = [docker_program(), "logs", "--tail", str(LOG_LINES), self.container(service)]
        done = subprocess.run(
            argv, env=self.engine.environment, capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout + done.stderr

    def _unhealthy(self) -> dict[str, str]:
        """The states of those that are not healthy, or, of those that run once, have not ended well."""
        states = {service: _state(found["State"]) for service, found in self.containers().items()}
        return {service: state for service, state in states.items() if state not in ("healthy", "exited 0")}


def _state(state: dict[str, Any]) -> str:
    """`healthy`, `starting`, `unhealthy`, or of a container that does not run, or has no health check, its status."""
    if state["Status"] == "exited":
        return f"exited {state['ExitCode']}"
    return str(state["Health"]["Status"] if state["Status"] == "running" and "Health" in state else state["Status"])
