"""PyPI aics-tlog, a second opinion on the transparency log: unpacked below var/parts, as it asks for Python 3.12.

It runs with 3.11 as well (0.2.1, tried with what the tests ask of it).
"""

import sys
from importlib import import_module
from types import ModuleType

from dev.chain import wheels

VERSION = "0.2.1"
INSTALLED = wheels.PARTS / f"aics-tlog-{VERSION}"


def aics_tlog() -> ModuleType:
    """The package, installed at first; raises ProcessError."""
    program = wheels.install(f"aics-tlog=={VERSION}", INSTALLED, program="aics_tlog/__init__.py", platform="any")
    if (path := str(program.parents[1])) not in sys.path:
        sys.path.append(path)
    return import_module("aics_tlog")
