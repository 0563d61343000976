"""P16: the check as files of its own: the page from a disk, the package, the same bytes whoever builds them."""

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, Request, expect

from ledger.receipts import receipt
from ledger.standalone import BESIDE, PAGE, SCRIPT, build, checksums, checksums_beside, package
from ledger.standalone.build import MODULES, SUMS
from tests.browsers import chromium_started
from tests.ledger.receipts.receipt_chain import ACCOUNT, Recorded

ROOT = Path(__file__).parents[3]


# --- what is committed is what the command builds


def test_what_is_committed_is_what_the_command_builds(tmp_path: Path) -> None:
    """In another place and time zone, with another hash seed. After a change: python -m ledger.standalone.build"""
    code = f"from pathlib import Path; import django; django.setup(); from ledger.standalone import build; \
        build.build(Path({str(tmp_path)!r}))"
    env = {**os.environ, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "DJANGO_SETTINGS_MODULE": "evportal.settings"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True)
    for path in (PAGE, SUMS):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), (
            f"{path.name}: python -m ledger.standalone.build"
        )


def test_the_sums_are_those_of_the_files() -> None:
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (PAGE, SCRIPT, *BESIDE)}
    lines = [f"{digest}  {name}" for name, digest in sorted(found.items())]
    assert SUMS.read_text().splitlines() == lines
    assert checksums() == {"page": found[PAGE.name], "script": found[SCRIPT.name]}
    assert checksums_beside() == {path.stem: found[path.name] for path in BESIDE}
    readme = (ROOT / "README.md").read_text()
    assert all(f"    {line}\n" in readme for line in lines), "README.md has other sums than SHA256SUMS"


def test_every_module_is_in_the_page() -> None:
    text = build.bundle()
    assert sorted(re.findall(r"^const m_(\w+) = ", text, re.M)) == sorted(path.stem for path in MODULES.glob("*.js"))


def test_the_portal_serves_these_bytes_and_names_their_sums(client: Client, db: None) -> None:
    for address, path in (("/evportal-verify.html", PAGE), *((f"/{file.name}", file) for file in (SCRIPT, *BESIDE))):
        answer = client.get(address)
        assert b"".join(answer.streaming_content) == path.read_bytes()  # type: ignore[attr-defined]
        assert path.name in answer["Content-Disposition"] and "attachment" in answer["Content-Disposition"]
    page = client.get("/verify").content.decode()
    assert all(value in page for value in (checksums() | checksums_beside()).values())
    assert "come from the operator, who could serve others" in page


# --- the page from a disk


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with chromium_started() as browser:
        yield browser


def saved(chromium: Browser, directory: Path, language: str = "en-GB") -> Page:
    """The page as somebody saved it, far from any server."""
    (directory / "saved.html").write_bytes(PAGE.read_bytes())
    page = chromium.new_context(locale=language).new_page()
    page.goto((directory / "saved.html").as_uri())
    return page


def put_in(page: Page, made: Recorded) -> None:
    page.locator("#nodes").fill("\n".join(made.nodes))
    page.locator("#chain").fill(made.chain_id)
    page.locator("#keys").fill(made.key)
    page.locator("#account").fill(ACCOUNT)


def test_the_saved_page_checks_a_real_receipt(chromium: Browser, recorded: Recorded, tmp_path: Path) -> None:
    """From file://, with two nodes, and asks nobody else; an altered one fails; a picture of the code does as well."""
    page = saved(chromium, tmp_path)
    requests: list[Request] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request))
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    give(page, receipt.dumps(recorded.receipt).encode())
    expect(page.locator("#problem")).to_contain_text("First put in the published key")
    put_in(page, recorded)
    give(page, receipt.dumps(recorded.receipt).encode())
    expect(page.locator("#verdict")).to_have_text("VERIFIED")
    expect(page.locator("#steps [data-outcome=ok]")).to_have_count(12)
    record = {**recorded.receipt["record"], "energy_wh": 77_800}
    give(page, json.dumps({**recorded.receipt, "record": record}).encode())
    expect(page.locator("#verdict")).to_have_text("NOT VALID")
    assert {request.url.partition("/v1/chain/")[0] for request in requests if "blob:" not in request.url} == {
        *recorded.nodes
    }
    assert complaints == []


def give(page: Page, data: bytes) -> None:
    page.locator("#file").set_input_files({"name": "r.json", "mimeType": "application/json", "buffer": data})


def test_the_saved_page_speaks_german(chromium: Browser, tmp_path: Path) -> None:
    page = saved(chromium, tmp_path, "de-AT")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.get_by_role("heading", level=1)).to_have_text("Einen Beleg prüfen")
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check a receipt")


# --- the package


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built twice without network, to the same bytes."""
    found: list[Path] = []
    for name in ("first", "second"):
        directory = tmp_path_factory.mktemp(name)
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--quiet"]
        subprocess.run([*command, "--wheel-dir", str(directory), str(SCRIPT.parent)], check=True, cwd=directory)
        found += directory.glob("*.whl")
    assert found[0].read_bytes() == found[1].read_bytes()
    return found[0]


def test_the_package_is_the_script_unchanged(wheel: Path) -> None:
    assert wheel.name.startswith("evportal_verify-") and wheel.name.endswith("-py3-none-any.whl")
    with zipfile.ZipFile(wheel) as packed:
        assert packed.read("evportal_verify.py") == SCRIPT.read_bytes()
        assert PAGE.read_bytes() in [packed.read(name) for name in packed.namelist() if name.endswith(PAGE.name)]


def test_its_sources_make_the_same_package(wheel: Path, tmp_path: Path) -> None:
    """The archive of the sources (PEP 517), the same bytes as well; pip makes the wheel of it."""
    name = package.build_sdist(str(tmp_path))
    archive = (tmp_path / name).read_bytes()
    assert archive[4:8] == bytes(4)  # no time in it
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--quiet"]
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(tmp_path / name)], check=True)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_package_is_installed_and_checks(wheel: Path, recorded: Recorded, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--target", str(target)]
    subprocess.run([*command, str(wheel)], check=True)
    file = tmp_path / "receipt.json"
    file.write_text(receipt.dumps(recorded.receipt))
    nodes = [argument for node in recorded.nodes for argument in ("--node", node)]
    pins = ["--key", recorded.key, "--chain-id", recorded.chain_id, "--account", ACCOUNT]
    env = {**os.environ, "PYTHONPATH": str(target)}
    done = subprocess.run(
        [str(target / "bin" / "evportal-verify"), str(file), *nodes, *pins], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.rstrip().endswith("VERIFIED"), done.stdout + done.stderr
