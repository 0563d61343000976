"""One measured service for all tests of a file, which its fixture `stack` puts right again."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.parts.tpm_service import TpmStack
from tests.tpm.verifier import oracle
from tests.waiting import until
from tpm.client import Key, TpmClient, TpmRefused, TpmUnavailable

WELL = {"live": True, "tpm": "ok", "integrity": "verified"}
DATA = b"what only an approved release may read"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TpmStack]:
    stack = TpmStack(tmp_path_factory.mktemp("m"))
    try:
        stack.start()
        client = stack.client()
        client.key_create("ledger", policy="release")
        client.key_create("plain")
        client.seal("secret", DATA, policy="release")
        shutil.copytree(stack.release_dir, good(stack), symlinks=True)
        yield stack
    finally:
        stack.stop()


def good(stack: TpmStack) -> Path:
    return stack.release_dir.with_name("good")


@pytest.fixture
def stack(running: TpmStack) -> TpmStack:
    """The service on its approved release, started anew if anything is wrong with it."""
    if not running.swtpm.alive:
        running.swtpm.start()
    if running.health_status() != 200:
        running.kill_service()
        shutil.rmtree(running.release_dir)
        shutil.copytree(good(running), running.release_dir, symlinks=True)
        running.start_service()
    assert running.client().health() == WELL
    return running


@pytest.fixture
def client(stack: TpmStack) -> TpmClient:
    return stack.client()


def restart(stack: TpmStack) -> None:
    stack.kill_service()
    stack.start_service()


def signs(client: TpmClient, key: Key) -> bool:
    digest = secrets.token_bytes(32)
    return oracle.recovered(digest, client.sign(key.name, digest)) == key.public_key_eosio


def works(client: TpmClient) -> bool:
    return all(signs(client, client.key_get(name)) for name in ("ledger", "plain")) and client.unseal("secret") == DATA


def refused(call: Callable[[], object]) -> str:
    """The code with which it is refused."""
    with pytest.raises((TpmUnavailable, TpmRefused)) as caught:
        call()
    return caught.value.code


def soon(check: Callable[[], bool]) -> None:
    until(check, but=(TpmUnavailable,))


def change_the_application(stack: TpmStack) -> None:
    with (stack.release_dir / "app" / "tpm" / "service" / "templates" / "openapi.html").open("a") as file:
        file.write("<!-- another version -->\n")
