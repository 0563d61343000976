"""What compose.yaml promises, read from the file; the secrets it mounts; and the entry of the TPM service's container.

That it runs, and that nobody reaches what they should not, tests `make compose-test` (dev/trials/compose/main.py).
"""

import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from dev.chain.keys import KeyPair
from dev.common.processes import Child, free_port, port_open
from dev.common.steps import StackError
from dev.containers import images, packages
from dev.containers.prepare import COGNITO, PORTAL, POSTGRES, REDIS, TOOLS, Files
from dev.containers.tpm_entry import altered, reset
from dev.parts.swtpm import Swtpm, control_path
from dev.stack.layout import ROOT, read_settings
from tpm.client import TpmClient, TpmUnavailable

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CALLERS = {"worker", "beat", "setup", "chain-setup"}
# Settings of the portal that nobody chooses who runs these containers: for development, or as the setup makes it.
NOT_CHOSEN = {
    "EVPORTAL_DEBUG",
    "EVPORTAL_WEBHOOK_ALLOW_LOCAL",
    "EVPORTAL_OCPI_PARTNER_URLS",
    "EVPORTAL_LEDGER_ACCOUNT",
    "EVPORTAL_LEDGER_MASTER_KEY_POLICY",
    "EVPORTAL_TPM_ATTESTATION",
}
# written by chain-setup, for EVPORTAL_ENV_FILE
IN_PORTAL_ENV = {"EVPORTAL_LEDGER_CHAIN_ID", "EVPORTAL_LEDGER_CODE_HASH", "EVPORTAL_LEDGER_CODE_UPDATED"}
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")


def on(network: str) -> set[str]:
    return {name for name, service in SERVICES.items() if network in service.get("networks", [])}


def mounting(volume: str) -> set[str]:
    return {
        name
        for name, service in SERVICES.items()
        if any(mount.startswith(f"{volume}:") for mount in service.get("volumes", []))
    }


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "ipc", "devices"} & service.keys()


@pytest.mark.parametrize("name", [name for name in SERVICES if name not in ("setup", "chain-setup")])
def test_every_service_that_stays_has_a_health_check(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


def test_only_the_tpm_service_reaches_the_tpm() -> None:
    assert mounting("tpm-socket") == {"tpm", "swtpm"}
    assert SERVICES["swtpm"]["network_mode"] == "none"


def test_only_worker_and_beat_reach_the_tpm_service() -> None:
    """`identity` leads from it to the provider; it listens on its address in `tpm` alone."""
    assert on("tpm") == CALLERS | {"tpm"}
    assert SERVICES["tpm"]["command"] == ["--bind", "tpm-api:8100"]
    assert SERVICES["tpm"]["networks"] == {"identity": None, "tpm": {"aliases": ["tpm-api"]}}
    assert not any("tpm-api" in str(service.get("networks")) for name, service in SERVICES.items() if name != "tpm")
    assert all(COMPOSE["networks"][name] == {"internal": True} for name in ("tpm", "identity", "data"))


def test_the_pages_have_no_credentials_for_the_tpm_service() -> None:
    assert not {"tpm_client_secret", "setup_tpm_client_secret"} & set(SERVICES["web"]["secrets"])
    assert not [name for name in SERVICES["web"]["environment"] if name.startswith("EVPORTAL_TPM_")]


def test_what_is_measured_is_mounted_read_only() -> None:
    mounts = [mount for mount in SERVICES["tpm"]["volumes"] if mount.split(":")[-1] == "ro"]
    assert {mount.split(":")[-2] for mount in mounts} == {"/app", "/site-packages", "/run/release"}


def test_no_secret_stands_in_an_environment() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            assert not key.endswith(("SECRET", "SECRET_KEY", "PASSWORD", "DATABASE_URL", "REDIS_URL")), (name, key)
            assert "://:" not in str(value), (name, key)


def test_the_gateway_finds_a_certificate_where_one_was_put() -> None:
    gateway = SERVICES["gateway"]
    assert any(volume.endswith("/ocpp_tls:/run/ocpp_tls:ro") for volume in gateway["volumes"])
    for name in ("EVPORTAL_OCPP_TLS_CERT", "EVPORTAL_OCPP_TLS_KEY"):  # said by whoever has one
        assert gateway["environment"][name] is None
        assert all(name not in SERVICES[other].get("environment", {}) for other in SERVICES if other != "gateway")


def test_each_setting_of_the_portal_is_passed_or_left_out_on_purpose() -> None:
    known = set(re.findall(r'"(EVPORTAL_[A-Z_]+)"', (ROOT / "evportal" / "settings.py").read_text()))
    portals = [service for service in SERVICES.values() if service.get("image") == "evportal/portal"]
    names = {name for portal in portals for name in portal["environment"]}
    assert known - names - {name.removesuffix("_FILE") for name in names} == NOT_CHOSEN | IN_PORTAL_ENV


def test_those_who_tell_receivers_have_no_way_to_tpm_chain_and_keys() -> None:
    wanted = {"django_secret_key", "django_secret_key_fallbacks", "database_url", "redis_url"}
    assert set(SERVICES["webhooks"]["secrets"]) == wanted
    assert set(SERVICES["webhooks"]["networks"]) == {"data", "outside"}
    assert on("outside") == {"webhooks"}
    assert "volumes" not in SERVICES["webhooks"]


@pytest.mark.parametrize("dockerfile", sorted({dockerfile for dockerfile, _ in images.IMAGES.values()}))
def test_what_an_image_copies_reaches_its_build(dockerfile: str) -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line.removeprefix("!").partition("/")[0] for line in ignored if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / dockerfile).read_text(), re.MULTILINE)
    sources = {source for line in copied for source in line.split() if not source.startswith("--")}
    assert sources
    assert {source.partition("/")[0] for source in sources} <= let_through


@pytest.mark.parametrize(("stage", "module"), [("swtpm", "dev.parts.swtpm"), ("tools", "dev.containers.chain")])
def test_what_an_image_runs_finds_all_that_it_imports(stage: str, module: str, tmp_path: Path) -> None:
    """Of the repository it has only what is copied one by one."""
    text = (ROOT / "dev/containers/Dockerfile").read_text().partition(f" AS {stage}\n")[2].partition("\nFROM ")[0]
    for line in re.findall(r"^COPY (\S.* /app/\S*)$", text, re.MULTILINE):
        *sources, target = line.split()
        for source in map(ROOT.joinpath, sources):
            place = tmp_path / target.removeprefix("/app/")
            place.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, place, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
            else:
                place.mkdir(exist_ok=True)
                shutil.copy(source, place)
    command = [sys.executable, "-P", "-c", f"import {module} as found; print(found.__file__)"]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path))


def test_published_ports_are_those_of_this_machine_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 5  # web, gateway, two nodes, identity provider
    assert all(port.startswith("127.0.0.1:") for port in ports)


@as_root
def test_each_secret_is_for_the_user_of_its_container(tmp_path: Path) -> None:
    files = Files(tmp_path / "compose")
    files.prepare()
    owners = {
        "django_secret_key": PORTAL,
        "django_secret_key_fallbacks": PORTAL,
        "database_url": PORTAL,
        "redis_url": PORTAL,
        "tpm_client_secret": PORTAL,
        "oidc_client_secret": PORTAL,
        "setup_tpm_client_secret": TOOLS,
        "chain_owner.json": TOOLS,
        "postgres_password": POSTGRES,
        "redis.conf": REDIS,
        "email_password": PORTAL,
    }
    for name, owner in owners.items():
        found = (files.secrets / name).stat()
        assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (owner, 0o600), name
    assert files.pool.stat().st_uid == COGNITO
    assert (files.ocpp_tls.stat().st_uid, stat.S_IMODE(files.ocpp_tls.stat().st_mode)) == (PORTAL, 0o700)
    assert set(COMPOSE["secrets"]) <= {path.name.removesuffix(".json") for path in files.secrets.iterdir()}
    given = {secret["file"].rpartition("/")[2] for secret in COMPOSE["secrets"].values()}
    assert given <= {path.name for path in files.secrets.iterdir()}


@as_root
def test_what_is_prepared_is_never_replaced(tmp_path: Path) -> None:
    files = Files(tmp_path / "compose", project="mine")
    files.prepare()
    (files.secrets / "email_password").write_text("of the mail server")
    before = {path: path.read_bytes() for path in files.directory.rglob("*") if path.is_file()}
    files.prepare()
    assert {path: path.read_bytes() for path in files.directory.rglob("*") if path.is_file()} == before
    settings = read_settings(files.environment)
    assert settings["COMPOSE_PROJECT_NAME"] == "mine"
    assert settings["EVPORTAL_LEDGER_OWNER_KEY"] == KeyPair.load(files.secrets / "chain_owner.json").public


def test_only_root_can_prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(StackError, match="needs root"):
        Files(tmp_path / "compose").prepare()
    assert not (tmp_path / "compose").exists()


def test_pip_of_a_build_hears_of_an_index_on_the_network_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    config.write_text(
        "[global]\nindex-url = https://me:secret@index.example/simple\nextra-index-url = file:///srv/pypi\n"
    )
    assert packages.pip_index() == "index-url = https://me:secret@index.example/simple\n"


def test_the_entry_resets_the_software_tpm(tmp_path: Path) -> None:
    swtpm = Swtpm(tmp_path / "state", tmp_path / "tpm")
    swtpm.start()
    tool = ["-T", swtpm.tcti]
    try:
        subprocess.run(["tpm2_pcrextend", *tool, f"8:sha256={'11' * 32}"], check=True, timeout=60)
        reset(str(control_path(swtpm.socket)))
        subprocess.run(["tpm2_startup", *tool, "--clear"], check=True, timeout=60)
        read = subprocess.run(
            ["tpm2_pcrread", *tool, "sha256:8"], capture_output=True, text=True, check=True, timeout=20
        )
        assert "0x" + "0" * 64 in read.stdout
    finally:
        swtpm.stop()


def test_the_entry_ends_without_its_software_tpm(tmp_path: Path) -> None:
    env = {**os.environ, "TPM_TCTI": f"swtpm:path={tmp_path / 'none'}"}
    entry = [sys.executable, str(ROOT / "dev" / "containers" / "tpm_entry.py")]
    done = subprocess.run(entry, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "could not be reset" in done.stderr


@pytest.fixture
def image(tmp_path: Path) -> tuple[str, Path]:
    """A manifest as the build makes it, and the one volume of which it tells."""
    volume = tmp_path / "app"
    (volume / "package").mkdir(parents=True)
    (volume / "package" / "module.py").write_text("honest = True")
    (volume / "link").symlink_to("package")
    command = [sys.executable, "-m", "tpm.service.manifest", "build", "--root", str(volume), "--version", "1"]
    subprocess.run([*command, "--out", str(tmp_path / "release")], check=True, capture_output=True, timeout=60)
    return str(tmp_path / "release" / "manifest.json"), volume


def test_volumes_as_the_image_was_built_are_run(image: tuple[str, Path]) -> None:
    manifest, volume = image
    assert altered(manifest, [str(volume)]) == ""


@pytest.mark.parametrize(
    ("tamper", "named"),
    [
        (lambda volume: (volume / "package" / "module.py").write_text("honest = not True"), "package/module.py"),
        (lambda volume: (volume / "package" / "module.py").chmod(0o777), "package/module.py"),
        (lambda volume: (volume / "package" / "module.py").unlink(), "package/module.py"),
        (lambda volume: (volume / "package" / "json.py").touch(), "package/json.py"),
        (lambda volume: (volume / "package" / "module.py").rename(volume / "module.py"), "module.py"),
        (lambda volume: os.mkfifo(volume / "fifo"), "fifo"),
        (lambda volume: ((volume / "link").unlink(), (volume / "link").symlink_to("/tmp")), "link"),
        (lambda volume: ((volume / "link").unlink(), (volume / "link").mkdir()), "link"),
    ],
)
def test_a_volume_that_was_changed_before_the_start_is_named(
    image: tuple[str, Path], tamper: Callable[[Path], object], named: str
) -> None:
    manifest, volume = image
    tamper(volume)
    assert altered(manifest, [str(volume)]) == str(volume / named)


@pytest.mark.parametrize("damage", ["changed", "no manifest", "no volume"])
def test_nothing_of_a_volume_that_was_changed_runs(image: tuple[str, Path], tmp_path: Path, damage: str) -> None:
    """Whatever its code would say of itself: the entry answers in its place."""
    manifest, volume = image
    if damage == "changed":
        (volume / "http").mkdir()
        (volume / "http" / "__init__.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    missing = str(tmp_path / "missing")
    program = tmp_path / "entry.py"
    where = {"no manifest": (missing, (str(volume),)), "no volume": (manifest, (missing,))}
    program.write_text(
        (ROOT / "dev" / "containers" / "tpm_entry.py")
        .read_text()
        .replace('if __name__ == "__main__":', f"MANIFEST, VOLUMES = {where.get(damage, (manifest, (str(volume),)))}")
        .replace("\n    main()", "\nmain()")
    )
    port = free_port()
    argv = [sys.executable, "-I", str(program), "--bind", f"127.0.0.1:{port}"]
    env = {**os.environ, "PYTHONPATH": str(volume), "TPM_TCTI": ""}
    child = Child("entry", argv, log=tmp_path / "entry.log", env=env)
    child.start()
    try:
        child.wait_ready(lambda: port_open(port), timeout_s=60)
        health = httpx2.get(f"http://127.0.0.1:{port}/v1/health")
        assert (health.status_code, health.json()["integrity"]) == (503, "failed")
        with pytest.raises(TpmUnavailable) as caught:
            TpmClient(f"http://127.0.0.1:{port}", lambda: "token").sign("ledger", bytes(32))
        assert caught.value.code == "integrity_failed"
    finally:
        child.stop()
    assert not (tmp_path / "ran").exists()
    assert "INTEGRITY FAILED" in (tmp_path / "entry.log").read_text()
