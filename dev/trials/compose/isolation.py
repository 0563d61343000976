"""What the containers may not do: reach the TPM, reach the TPM service, write, be root."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from dev.common.steps import StackError
from dev.containers.stack import Stack

TPM_SERVICE, TPM_ITSELF = "tpm", "swtpm"
CALLERS = ("beat", "worker")  # the setup services too, which have ended by now
TPM_PORT = 8100
SOCKET_VOLUME = "tpm-socket"
TPM_PLACES = ("/run/tpm/tpm", "/run/tpm/tpm.ctrl", "/dev/tpm0", "/dev/tpmrm0")
# Linux: character devices 10:224 is /dev/tpm0, and whoever may make device nodes could open it
MAKE_DEVICE = "mknod /tmp/tpm0 c 10 224"
CONNECT = "timeout 3 bash -c 'exec 3<>/dev/tcp/{address}/{port}'"


@dataclass(frozen=True)
class Attempt:
    """A shell command in a container, and whether it should go."""

    what: str
    command: str
    may: bool


def check_isolation(stack: Stack) -> int:
    """Try from inside every container; returns how much was tried, raises StackError for what went otherwise."""
    addresses = _addresses(stack)
    with ThreadPoolExecutor(4) as pool:  # what is dropped silently takes its time
        return sum(pool.map(lambda service: _try(stack, service, addresses), stack.running()))


def _try(stack: Stack, service: str, addresses: dict[str, str]) -> int:
    attempts = _attempts(service, addresses)
    script = "\n".join(f"( {attempt.command} ) > /dev/null 2>&1; echo $?" for attempt in attempts)
    statuses = stack.execute(service, "sh", "-c", script).split()
    for attempt, status in zip(attempts, statuses, strict=True):
        if (status == "0") != attempt.may:
            expected, found = ("to go", "was refused") if attempt.may else ("to be refused", "went")
            raise StackError(f"{service}: {attempt.what}: expected it {expected}, it {found}")
    return len(attempts)


def _attempts(service: str, addresses: dict[str, str]) -> list[Attempt]:
    has_tpm = service in (TPM_SERVICE, TPM_ITSELF)
    places = [Attempt(f"finding {place}", f"test -e {place}", has_tpm and "/run/" in place) for place in TPM_PLACES]
    connections = [
        Attempt(
            f"connecting to the TPM service at its address in the network {name}",
            CONNECT.format(address=address, port=TPM_PORT),
            service in (*CALLERS, TPM_SERVICE) and name == "tpm",
        )
        for name, address in addresses.items()
    ]
    return [
        *places,
        *connections,
        Attempt("making a device node for a TPM", MAKE_DEVICE, False),
        Attempt("writing beside its volumes", "> /usr/bin/x", False),
    ]


def _addresses(stack: Stack) -> dict[str, str]:
    """The addresses of the TPM service's container, by the name of the network."""
    networks = stack.inspect(TPM_SERVICE)["NetworkSettings"]["Networks"]
    return {name.removeprefix(f"{stack.project}_"): str(found["IPAddress"]) for name, found in networks.items()}


def check_hardening(stack: Stack) -> int:
    """Look at what the engine was told of each container; returns how many were looked at, raises StackError."""
    services = stack.containers()
    for service, described in services.items():
        for what, right in _hardening(stack.project, service, described):
            if not right:
                raise StackError(f"{service}: expected {what}")
    return len(services)


def _hardening(project: str, service: str, described: dict[str, Any]) -> Iterator[tuple[str, bool]]:
    host, user = described["HostConfig"], described["Config"]["User"]
    volumes = {mount.get("Name", "").removeprefix(f"{project}_") for mount in described["Mounts"]}
    yield "a user that is not root", user not in ("", "0", "root") and not user.startswith("0:")
    yield "a read-only root", host["ReadonlyRootfs"]
    yield "no capability", host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Privileged"]
    yield "no new privileges", any("no-new-privileges" in option for option in host["SecurityOpt"] or [])
    yield "no device", not host["Devices"]
    has_tpm = service in (TPM_SERVICE, TPM_ITSELF)
    yield f"the TPM's socket {'here' if has_tpm else 'elsewhere'}", (SOCKET_VOLUME in volumes) == has_tpm
    # what is secret comes as a file: nothing of it stands in the environment, which `docker inspect` shows
    secret = ("PASSWORD", "SECRET_KEY=", "CLIENT_SECRET=", "PRIVATE KEY", "PVT_")
    said = json.dumps([entry for entry in described["Config"]["Env"] if "_FILE=/run/secrets/" not in entry])
    yield "no secret in its environment", not any(word in said for word in secret)
