"""The rule of the house, as CONTRIBUTING.md tells it: imports point one way, nowhere is a circle, every room is small.

    evportal -> portal -> ledger -> stations -> api -> accounts -> common;  gateway -> stations

tpm.service imports nothing of ours outside tpm, and nobody imports it. One module a library is its door. What says PURE
in its docstring does neither I/O nor Django.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("common", "accounts", "api", "stations", "gateway", "ledger", "portal", "evportal", "tpm")
TOOLS = ("dev", "bench")
TPM = {"tpm.base58", "tpm.client", "tpm.tokens", "tpm.verifier", "tpm.register"}
BELOW_STATIONS = {"api", "accounts", "common"}
BELOW_PORTAL = {"ledger", "stations", *BELOW_STATIONS, *TPM}
MAY_IMPORT = {
    "common": {"common"},
    "accounts": {"accounts", "common"},
    "api": {"api", "accounts", "common"},
    "stations": {"stations", *BELOW_STATIONS},
    "gateway": {"gateway", "stations", *BELOW_STATIONS},
    "ledger": {"ledger", "stations", *BELOW_STATIONS, *TPM},
    "portal": {"portal", *BELOW_PORTAL},
    "evportal": {"evportal", "portal", "gateway", *BELOW_PORTAL},
    "tpm": {"tpm", "common"},
    "dev": {"dev", "tests", "evportal", "portal", "gateway", *BELOW_PORTAL, "tpm"},
    "bench": {"bench", "dev", "tests", "evportal", "portal", "gateway", *BELOW_PORTAL, "tpm"},
}
DOORS = {
    "eospy": {"ledger/chain/node.py", "ledger/signing/signer.py"},
    "tpm2_pytss": {
        f"tpm/service/device/{name}.py" for name in ("connection", "objects", "device", "attest", "policy", "measured")
    },
    "ocpp": set(),
    "weasyprint": {"common/pdf.py"},
}
IMPURE = {
    *(f"django.{name}" for name in ("apps", "conf", "contrib", "core", "db", "http", "shortcuts", "template", "urls")),
    *("rest_framework", "celery", "redis", "httpx", "httpx2", "requests", "socket", "urllib.request"),
    *("stations.models", "ledger.models", "accounts.models", "tpm.models", "ledger.chain.node", "tpm.client"),
}
# What a package's root calls, and only Django or other wiring calls: it stands above the package's rooms.
WIRING = {"__main__", "admin", "apps", "celery", "personal_data", "sealed_columns", "urls", "urls_api", "wsgi"}
WIRING |= {"tpm.service.audit", "tpm.service.manifest", "tpm.service.gunicorn.conf", "evportal.problems"}

MODULES_MAX = 20
LINES_MAX = 400
FUNCTION_MAX = 45
CHAIN_MAX = 12


@cache
def modules(package: str) -> list[Path]:
    return [path for path in sorted((ROOT / package).rglob("*.py")) if "migrations" not in path.relative_to(ROOT).parts]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Every module that a file imports at run time, also inside functions; imports for types only do not count."""
    types_only = {
        node
        for block in ast.walk(tree(path))
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for statement in block.body
        for node in ast.walk(statement)
    }
    found: list[str] = []
    for node in ast.walk(tree(path)):
        if node in types_only:
            continue
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the direction"
            found += (f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(found)


def starts_with(name: str, prefixes: set[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


@cache
def files() -> Mapping[str, Path]:
    """Every module of ours by its dotted name; a package by the name of its folder."""
    paths = (path for package in (*PACKAGES, *TOOLS) for path in modules(package))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


@cache
def graph() -> Mapping[str, set[str]]:
    """Which module of ours imports which."""
    found: dict[str, set[str]] = {}
    for name, path in files().items():
        found[name] = set()
        for target in imported(path):
            while target and target not in files():
                target = target.rpartition(".")[0]
            if target and target != name:
                found[name].add(target)
    return found


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """The strongly connected parts of more than one node (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in edges[node]:
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            part = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(part) > 1:
                found.append(sorted(part))

    for node in edges:
        if node not in index:
            visit(node)
    return found


def room(module: str) -> str:
    """The folder that a module is in; the wiring of a package stands above its rooms, and is none of them."""
    path = files()[module]
    folder = str(path.parent.relative_to(ROOT))
    is_root = (ROOT / folder / "apps.py").exists() or folder in {*PACKAGES, *TOOLS, "tpm/service"}
    return f"{folder} (wiring)" if is_root and {path.stem, module} & WIRING else folder


def test_circles_are_found() -> None:
    """The check itself: a circle through three, and none where there is none."""
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("package", (*PACKAGES, *TOOLS))
def test_imports_point_one_way(package: str) -> None:
    ours = {*PACKAGES, *TOOLS, "tests"}
    for path in modules(package):
        for name in imported(path):
            if starts_with(name, ours):
                assert starts_with(name, MAY_IMPORT[package]), f"{path.relative_to(ROOT)} imports {name}"


def test_no_circle_of_files() -> None:
    assert circles(graph()) == []


def test_no_circle_of_folders() -> None:
    rooms: dict[str, set[str]] = {room(module): set() for module in graph()}
    for module, targets in graph().items():
        rooms[room(module)] |= {room(target) for target in targets} - {room(module)}
    assert circles(rooms) == []


def test_nobody_imports_the_wiring_but_wiring() -> None:
    found = [
        f"{module} imports {target}"
        for module, targets in graph().items()
        for target in targets
        if room(target).endswith("(wiring)") and not room(module).endswith("(wiring)")
        if module.partition(".")[0] not in {*TOOLS, "evportal"}
    ]
    assert found == []


def test_no_chain_of_imports_is_long() -> None:
    @cache
    def longest(module: str) -> tuple[str, ...]:
        return (module, *max((longest(target) for target in graph()[module]), key=len, default=()))

    product = (module for module in graph() if module.partition(".")[0] in PACKAGES)
    chain = max((longest(module) for module in product), key=len)
    assert len(chain) <= CHAIN_MAX, " -> ".join(chain)


@cache
def everywhere() -> Mapping[str, Path]:
    """Every module by its path, the tests' own too."""
    every = (path for package in (*PACKAGES, *TOOLS, "tests") for path in modules(package))
    return {str(path.relative_to(ROOT)): path for path in every}


def test_rooms_and_modules_stay_small() -> None:
    counted = Counter(str(Path(name).parent) for name in everywhere())
    assert {folder: count for folder, count in counted.items() if count > MODULES_MAX} == {}
    lines = {name: len(path.read_text().splitlines()) for name, path in everywhere().items()}
    assert {name: count for name, count in lines.items() if count > LINES_MAX} == {}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (node for node in ast.walk(tree(path)) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def test_functions_fit_the_eye() -> None:
    long = [
        f"{name}: {function.name}, {size} lines"
        for name, path in everywhere().items()
        for function in functions(path)
        if (size := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_MAX
    ]
    assert long == []


def test_what_is_public_says_what_it_does() -> None:
    """At least four of five public functions and methods have a docstring; the others' names say all."""

    def public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
                yield node
            elif isinstance(node, ast.ClassDef):
                yield from public(node.body)

    every = [function for path in files().values() for function in public(tree(path).body)]
    told = [function for function in every if ast.get_docstring(function)]
    assert len(told) >= 0.8 * len(every), f"{len(told)} of {len(every)}"


def test_the_portal_never_imports_the_service() -> None:
    for name, path in files().items():
        if not name.startswith(("tpm.service", "dev.", "bench.")):
            assert not any(starts_with(found, {"tpm.service"}) for found in imported(path)), name


def test_the_service_ships_alone() -> None:
    for path in modules("tpm/service"):
        ours = [name for name in imported(path) if starts_with(name, {*PACKAGES, *TOOLS, "tests"})]
        assert all(starts_with(name, {"tpm.service", "tpm.base58"}) for name in ours), path


@pytest.mark.parametrize("library", DOORS)
def test_one_door_a_library(library: str) -> None:
    found = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in modules(package)
        if any(starts_with(name, {library}) for name in imported(path))
    }
    assert found <= DOORS[library], f"{library} may be imported by {DOORS[library]}, is by {found}"


PURE = [name for name, path in files().items() if (ast.get_docstring(tree(path)) or "").startswith("PURE")]


def test_the_core_is_there() -> None:
    assert {"ledger.record", "ledger.receipts.receipt", "stations.tariffs.pricing", "tpm.verifier.attestation"} <= {
        *PURE
    }


@pytest.mark.parametrize("module", PURE)
def test_the_core_is_pure(module: str) -> None:
    assert not [name for name in imported(files()[module]) if starts_with(name, IMPURE)]


@pytest.mark.parametrize("path", sorted((ROOT / "ledger/standalone").glob("verify_*.py")), ids=lambda path: path.name)
def test_the_standalone_verifiers_need_nothing_of_ours(path: Path) -> None:
    assert not [name for name in imported(path) if starts_with(name, {*PACKAGES, "django", "eospy", "rfc8785"})]
    assert len(path.read_text().splitlines()) <= 400
