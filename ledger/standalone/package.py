"""Packs verify_receipt.py as the wheel `evportal-verify` (PEP 517), the same bytes each time, without other packages.

In it the script is the module `evportal_verify`, unchanged; what it looks for lies beside it (`verify_meter`, also the
command `evportal-verify-meter`), and the page under share/evportal-verify.
"""

import base64
import hashlib
import tarfile
import tomllib
import zipfile
from gzip import GzipFile
from io import BytesIO
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PROJECT: dict[str, Any] = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
STEM = f"{PROJECT['name'].replace('-', '_')}-{PROJECT['version']}"
SCRIPT, PAGE = "verify_receipt.py", "evportal-verify.html"
BESIDE = ("verify_meter.py", "verify_statement.py")  # the script looks for them beside itself
SOURCES = ("pyproject.toml", "package.py", SCRIPT, *BESIDE, PAGE)
DAY = (1980, 1, 1, 0, 0, 0)  # the first that a ZIP can name
Config = dict[str, Any] | None


def metadata() -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {PROJECT['name']}", f"Version: {PROJECT['version']}"]
    lines += [f"Summary: {PROJECT['description']}", f"Requires-Python: {PROJECT['requires-python']}"]
    lines += [f"License: {PROJECT['license']}", *(f"Author: {author['name']}" for author in PROJECT["authors"])]
    return "\n".join([*lines, *(f"Requires-Dist: {needed}" for needed in PROJECT["dependencies"])]) + "\n"


def files() -> dict[str, bytes]:
    """What is in the wheel but for RECORD."""
    commands = "".join(f"{name} = {target}\n" for name, target in PROJECT["scripts"].items())
    wheel = "Wheel-Version: 1.0\nGenerator: evportal\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    return {
        "evportal_verify.py": (HERE / SCRIPT).read_bytes(),
        **{name: (HERE / name).read_bytes() for name in BESIDE},
        f"{STEM}.data/data/share/evportal-verify/{PAGE}": (HERE / PAGE).read_bytes(),
        f"{STEM}.dist-info/METADATA": metadata().encode(),
        f"{STEM}.dist-info/WHEEL": wheel.encode(),
        f"{STEM}.dist-info/entry_points.txt": f"[console_scripts]\n{commands}".encode(),
    }


def build_wheel(directory: str, config: Config = None, metadata_directory: str | None = None) -> str:
    found = files()
    record = f"{STEM}.dist-info/RECORD"
    lines = [f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in found.items()]
    found[record] = "".join([*lines, f"{record},,\n"]).encode()
    name = f"{STEM}-py3-none-any.whl"
    with zipfile.ZipFile(Path(directory, name), "w", zipfile.ZIP_STORED) as packed:
        for path, data in found.items():
            entry = zipfile.ZipInfo(path, DAY)
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, data)
    return name


def build_sdist(directory: str, config: Config = None) -> str:
    name = f"{STEM}.tar.gz"
    contents = {"PKG-INFO": metadata().encode(), **{source: (HERE / source).read_bytes() for source in SOURCES}}
    zipped = BytesIO()
    with GzipFile("", "wb", fileobj=zipped, mtime=0) as out, tarfile.open(fileobj=out, mode="w") as packed:
        for path, data in contents.items():
            entry = tarfile.TarInfo(f"{STEM}/{path}")
            entry.size = len(data)
            packed.addfile(entry, BytesIO(data))
    Path(directory, name).write_bytes(zipped.getvalue())
    return name


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
