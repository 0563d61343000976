"""Imports point one way: evportal -> portal -> ledger -> stations -> api -> accounts -> common; gateway -> stations.

tpm.service and the portal never meet.

Also the doors: one module imports the library, the rest sees our own types.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("common", "accounts", "api", "stations", "gateway", "ledger", "portal", "evportal", "tpm")
TPM = {"tpm.base58", "tpm.client", "tpm.tokens", "tpm.verifier", "tpm.register"}
MAY_IMPORT = {
    "common": {"common"},
    "accounts": {"accounts", "common"},
    "api": {"api", "accounts", "common", "stations.errors"},
    "stations": {"stations", "api", "accounts", "common"},
    "gateway": {"gateway", "stations", "api", "accounts", "common"},
    "ledger": {"ledger", "stations", "api", "accounts", "common", "portal.statements", *TPM},
    "portal": {"portal", "ledger", "stations", "api", "accounts", "common", *TPM},
    "evportal": {"evportal", "portal", "gateway", "ledger", "stations", "api", "accounts", "common", *TPM},
    "tpm": {"tpm", "common"},
}
DOORS = {
    "eospy": {"ledger/chain/node.py", "ledger/signing/signer.py"},
    "tpm2_pytss": {
        f"tpm/service/device/{name}.py" for name in ("connection", "objects", "device", "attest", "policy", "measured")
    },
    "ocpp": set(),
    "weasyprint": {"common/pdf.py"},
}
VERIFIER = (
    *("structures", "steps", "credential", "endorsement", "events", "evidence", "clock", "attestation"),
    *("certification",),
)
PURE = (
    "common/strict_json.py",
    *(f"ledger/chain/{name}.py" for name in ("antelope", "block", "p256", "holders")),
    *(f"ledger/receipts/{name}.py" for name in ("receipt", "form", "certification", "witness", "steps")),
    "ledger/keys/master_key.py",
    "ledger/record.py",
    "stations/tariffs/pricing.py",
    *(f"tpm/verifier/{name}.py" for name in VERIFIER),
)


def modules(package: str) -> list[Path]:
    return [path for path in sorted((ROOT / package).rglob("*.py")) if "migrations" not in path.parts]


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports at run time, also inside functions; imports for types only do not count."""
    tree = ast.parse(path.read_text())
    types_only = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if node in types_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def starts_with(name: str, prefixes: set[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package: str) -> None:
    ours = {*PACKAGES, "dev", "tests", "bench"}
    for path in modules(package):
        for name in imported(path):
            if starts_with(name, ours):
                assert starts_with(name, MAY_IMPORT[package]), f"{path.relative_to(ROOT)} imports {name}"


def test_the_portal_never_imports_the_service() -> None:
    for package in PACKAGES[:-1]:
        for path in modules(package):
            assert not any(name.startswith("tpm.service") for name in imported(path)), path
    for path in modules("tpm"):
        if (ROOT / "tpm" / "service") not in path.parents:
            assert not any(found.startswith("tpm.service") for found in imported(path)), path


@pytest.mark.parametrize("library", DOORS)
def test_one_door_a_library(library: str) -> None:
    found = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in modules(package)
        if any(starts_with(name, {library}) for name in imported(path))
    }
    assert found <= DOORS[library], f"{library} may be imported by {DOORS[library]}, is by {found}"


@pytest.mark.parametrize("path", PURE)
def test_the_core_is_pure(path: str) -> None:
    impure = {
        "django",
        "httpx",
        "requests",
        "socket",
        "urllib",
        "celery",
        "stations.models",
        "ledger.models",
        "ledger.chain.node",
        "tpm.models",
    }
    assert not [name for name in imported(ROOT / path) if starts_with(name, impure)]


def test_the_standalone_verifier_needs_nothing_of_ours() -> None:
    path = ROOT / "ledger/standalone/verify_receipt.py"
    assert not [name for name in imported(path) if starts_with(name, {*PACKAGES, "django", "eospy", "rfc8785"})]
    assert len(path.read_text().splitlines()) <= 400
