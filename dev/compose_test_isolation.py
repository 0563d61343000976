"""What the containers may not do: reach the TPM, reach the TPM service, write, be root."""

import json
from collections.abc import Iterator
from typing import Any

from dev.containers.stack import Stack
from dev.steps import StackError

TPM_SERVICE, TPM_ITSELF = "tpm", "swtpm"
CALLERS = ("beat", "worker")  # the setup services too, which have ended by now
TPM_PORT = 8100
SOCKET_VOLUME = "tpm-socket"
TPM_PLACES = ("/run/tpm/tpm", "/run/tpm/tpm.ctrl", "/dev/tpm0", "/dev/tpmrm0")
# Linux: character devices 10:224 is /dev/tpm0, and whoever may make device nodes could open it
MAKE_DEVICE = "mknod /tmp/tpm0 c 10 224"
CONNECT = "timeout 3 bash -c 'exec 3<>/dev/tcp/{address}/{port}'"


def check_isolation(stack: Stack) -> int:
    """Try from inside every container; returns how much was tried, raises StackError for what went otherwise."""
    addresses = _addresses(stack)
    tried = 0
    for service in stack.running():
        for what, expected, found in _attempts(stack, service, addresses):
            tried += 1
            if expected != found:
                raise StackError(f"{service}: {what}: expected {_word(expected)}, it {_word(found)}")
    return tried


def _attempts(stack: Stack, service: str, addresses: dict[str, str]) -> Iterator[tuple[str, bool, bool]]:
    """Yield what was tried, whether it should go, and whether it went."""
    has_tpm = service in (TPM_SERVICE, TPM_ITSELF)
    for place in TPM_PLACES:
        there = stack.attempt(service, "test", "-e", place)[0] == 0
        yield f"finding the TPM at {place}", has_tpm and place.startswith("/run/"), there
    yield "making a device node for a TPM", False, stack.attempt(service, "sh", "-c", MAKE_DEVICE)[0] == 0
    yield "writing beside its volumes", False, stack.attempt(service, "sh", "-c", "> /usr/bin/x")[0] == 0
    for name, address in addresses.items():
        went = stack.attempt(service, "sh", "-c", CONNECT.format(address=address, port=TPM_PORT))[0] == 0
        may = service in (*CALLERS, TPM_SERVICE) and name == "tpm"
        yield f"connecting to the TPM service at {address} (network {name})", may, went


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
    yield "no secret in its environment", not any(word in json.dumps(described["Config"]["Env"]) for word in secret)


def _word(went: bool) -> str:
    return "went" if went else "was refused"
