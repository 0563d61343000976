"""Ports of the demo: chosen, remembered, and a clear word when somebody else has one."""

import os
import socket
from pathlib import Path

import pytest

from dev.common.processes import free_port
from dev.common.steps import StackError
from dev.stack import layout
from dev.stack.layout import Ports, variable


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "DEMO_CONF", tmp_path / "demo.conf")
    for name in layout.DEFAULT_PORTS:
        monkeypatch.delenv(variable(name), raising=False)


def test_a_chosen_port_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVPORTAL_DEMO_WEB_PORT", "18000")
    Ports.chosen().remember()
    monkeypatch.delenv("EVPORTAL_DEMO_WEB_PORT")

    ports = Ports.chosen()

    assert ports["WEB"] == 18000
    assert ports["TPM"] == layout.DEFAULT_PORTS["TPM"]
    assert ports.url("WEB") == "http://127.0.0.1:18000"


@pytest.mark.parametrize("text", ["80", "65536", "web", "-1", "8e3"])
def test_what_is_no_port_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("EVPORTAL_DEMO_WEB_PORT", text)
    with pytest.raises(StackError, match=f"EVPORTAL_DEMO_WEB_PORT: expected a port .*, got '{text}'"):
        Ports.chosen()


def test_two_parts_do_not_share_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVPORTAL_DEMO_WEB_PORT", str(layout.DEFAULT_PORTS["TPM"]))
    with pytest.raises(StackError, match="a port of its own"):
        Ports.chosen()


@pytest.mark.parametrize("address", ["127.0.0.1", ""])
def test_a_port_in_use_names_port_holder_and_variable(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        other.bind((address, 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setenv("EVPORTAL_DEMO_WEB_PORT", str(port))
        with pytest.raises(StackError) as refused:
            Ports.chosen().check_free(["WEB"])
    for word in (f"port {port}", f"pid {os.getpid()}", "EVPORTAL_DEMO_WEB_PORT="):
        assert word in str(refused.value)


def test_a_free_port_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVPORTAL_DEMO_WEB_PORT", str(free_port()))
    Ports.chosen().check_free(["WEB"])
