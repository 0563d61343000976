"""The master key file (0600): which master keys there are, and where each is sealed. Nothing in it opens a data key.

{"version": 2,
 "masters": [{"id", "public", "made_at", "sealed", "policy", "recovery", "recovery_key"}, …],      the newest last
 "discard": ["ledger-master-…", …]}      sealed objects that nobody needs: made half-way, or replaced

Bytes are base64. A file of version 1, {"directory": HEX, "master": [{"id", "key": HEX}, …]}, is read too, and while
its key is being replaced version 2 carries it as {"id", "key", "directory"}.

Only who holds `locked` writes, and always the whole file; readers need no lock.
"""

import base64
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ledger.errors import MasterKeyBusy, MasterKeyMissing
from ledger.keys.master_key import PlainMaster, SealedMaster, public_id

VERSION = 2
LOCK_POLL_S = 0.05

Master = PlainMaster | SealedMaster


@dataclass(frozen=True)
class KeyFile:
    """What the file says; a file that is not there says nothing."""

    masters: tuple[Master, ...] = ()
    discard: tuple[str, ...] = ()

    def noting(self, *names: str) -> "KeyFile":
        """With these sealed objects among those to be discarded."""
        return replace(self, discard=(*self.discard, *names))

    def without(self, *names: str) -> "KeyFile":
        return replace(self, discard=tuple(name for name in self.discard if name not in names))


def read(path: Path) -> KeyFile:
    """Read the file; raises MasterKeyMissing where it is damaged or not for us to read."""
    try:
        content = json.loads(path.read_text())
        return _version_1(content) if "master" in content else _version_2(content)
    except FileNotFoundError:
        return KeyFile()
    except OSError as error:
        raise MasterKeyMissing(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise MasterKeyMissing(
            f"{path} is damaged, or no master key file: put it back from its backup ({type(error).__name__})"
        ) from error


def _version_1(content: dict[str, Any]) -> KeyFile:
    directory = bytes.fromhex(content["directory"])
    return KeyFile(tuple(PlainMaster(item["id"], bytes.fromhex(item["key"]), directory) for item in content["master"]))


def _version_2(content: dict[str, Any]) -> KeyFile:
    if content["version"] != VERSION:
        raise ValueError(content["version"])
    return KeyFile(tuple(_master(item) for item in content["masters"]), tuple(map(str, content["discard"])))


def _master(item: dict[str, Any]) -> Master:
    if "key" in item:
        return PlainMaster(str(item["id"]), bytes.fromhex(item["key"]), bytes.fromhex(item["directory"]))
    texts = {name: str(item[name]) for name in ("id", "made_at", "sealed", "recovery_key")}
    policy = None if item["policy"] is None else str(item["policy"])
    public, recovery = (base64.b64decode(item[name], validate=True) for name in ("public", "recovery"))
    if public_id(public) != texts["id"]:
        raise ValueError("the public half does not fit its id")
    return SealedMaster(**texts, public=public, policy=policy, recovery=recovery)


def _item(master: Master) -> dict[str, Any]:
    if isinstance(master, PlainMaster):
        return {"id": master.id, "key": master.key.hex(), "directory": master.directory.hex()}
    data = {"public": master.public, "recovery": master.recovery}
    names = ("id", "made_at", "sealed", "policy", "recovery_key")
    return {name: getattr(master, name) for name in names} | {
        name: base64.b64encode(value).decode() for name, value in data.items()
    }


def write(path: Path, file: KeyFile) -> None:
    """Replace the file as a whole; it survives a kill and a power cut. Only for who holds `locked`.

    Raises MasterKeyMissing where it cannot be written; the old file stays.
    """
    try:
        _write(path, file)
    except OSError as error:
        raise MasterKeyMissing(f"{path} cannot be written: {error.strerror}") from error


def _write(path: Path, file: KeyFile) -> None:
    content = {"version": VERSION, "masters": [_item(master) for master in file.masters], "discard": list(file.discard)}
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # left by a writer that was killed
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        json.dump(content, out)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # the name too survives a power cut
    finally:
        os.close(directory)


@contextmanager
def locked(path: Path, *, wait_s: float) -> Iterator[None]:
    """Alone with the file, among all processes of this machine; raises MasterKeyBusy after `wait_s`.

    Killed, a holder leaves no lock behind. Take it before any lock of the database.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    except OSError as error:
        raise MasterKeyMissing(f"{path} cannot be written: {error.strerror}") from error
    try:
        end = time.monotonic() + wait_s
        while not _flock(descriptor):
            if time.monotonic() > end:
                raise MasterKeyBusy(f"another process is at work on {path}; try again when it is done")
            time.sleep(LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


def _flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
