"""Runs a module of a bench with the code of the checkout that it is started in (bench/against.py).

    python bench/beside.py FOLDER_OF_THE_BENCH bench.MODULE [OPTION …]

Of `dev`, what that revision did not have yet is this tree's. On 2026-11-30 modules moved into rooms: in a revision
from before, the names of today lead to those of then.
"""

import importlib
import os
import runpy
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

THEN = {
    "dev.chain.keys": "dev.keys",
    "dev.chain.nodeos": "dev.nodeos",
    "dev.chain.transactions": "dev.transactions",
    "dev.parts.postgres": "dev.postgres",
    "dev.parts.tpm_service": "dev.tpm_service",
    "dev.stack.master_key": "dev.master_key",
    "dev.trials.portal_stack": "dev.portal_stack",
    "dev.trials.sample_sessions": "dev.sample_sessions",
    "ledger.chain.antelope": "ledger.antelope",
    "ledger.chain.block": "ledger.block",
    "ledger.chain.node": "ledger.chain",
    "ledger.recording.tasks": "ledger.tasks",
    "ledger.repair.restoration": "ledger.restoration",
    "stations.charging.sessions": "stations.services",
}
ROOMS = {name.rpartition(".")[0] for name in THEN}


class Then(MetaPathFinder, Loader):
    """Finds modules by their names of today. A room that was a module then is both."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        known = fullname in THEN or fullname in ROOMS
        return ModuleSpec(fullname, self, is_package=fullname in ROOMS) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        if spec.name in THEN:
            return importlib.import_module(THEN[spec.name])
        found = _module_then(spec.name)
        return module_from_spec(found) if found else None

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        found = _module_then(spec.name) if spec and spec.name in ROOMS else None
        if found and found.loader:
            found.loader.exec_module(module)


def _module_then(name: str) -> ModuleSpec | None:
    found = PathFinder.find_spec(name, sys.modules[name.rpartition(".")[0]].__path__)
    return found if found and found.origin else None


def main() -> None:
    sys.path[0] = os.getcwd()  # noqa: PTH109 - it was this file's folder, and the code has to be the checkout's
    import bench
    import dev

    bench.__path__ = [sys.argv[1]]
    dev.__path__ = [*dev.__path__, str(Path(__file__).parents[1] / "dev")]
    if not Path("portal").is_dir():
        sys.meta_path.insert(0, Then())
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
