"""The command `python -m tpm.service.manifest`: make, sign, approve and check a release.

    python -m tpm.service.manifest keygen release_key.pem
    python -m tpm.service.manifest build --root /app --root /site-packages --version 1.4.0 --out /release
    python -m tpm.service.manifest sign /release --key release_key.pem
    python -m tpm.service.manifest approve /release --key release_key.pem
    python -m tpm.service.manifest check /release --public-key release_key.pub.pem

Ends with 0, with 1 when `check` found a difference, and with 2 when something could not be done.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tpm.service.release.entries import Entry, within
from tpm.service.release.manifest import MANIFEST_FILE, Release, approve, manifest_of, sign
from tpm.service.release.measure import differences, measure
from tpm.service.release.pcr import DIGEST_BYTES
from tpm.service.release.release_files import load_public_key, read, write
from tpm.service.release.release_key import load_private_key, make_key
from tpm.service.release.strict_json import ManifestError, ReleaseError, shown

PROGRESS_AFTER_S = 2
MEASURED_PCRS = (8, 23)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status, and says on stderr what could not be done."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ReleaseError as error:
        print(f"tpm.service.manifest: {error}", file=sys.stderr)
        return 2


def build(options: argparse.Namespace) -> int:
    """Measure the roots and write the manifest, not signed yet."""
    out = options.out.resolve()
    roots = sorted(_absolute(root) for root in options.root)
    for root in roots:
        if within(str(out), root):
            raise ManifestError("--out", f"a directory outside the root {shown(root)}", str(out))
    created_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with _progress() as each:
        entries = measure(roots, each)
    manifest = manifest_of(version=options.version, created_at=created_at, roots=roots, entries=entries)
    _directory(out)
    write(out / MANIFEST_FILE, manifest.dumps())
    size = sum(entry.size or 0 for entry in entries)
    print(f"{out / MANIFEST_FILE}: {len(entries)} files, {size} bytes; PCR {manifest.pcr.hex()}")
    return 0


def sign_directory(options: argparse.Namespace) -> int:
    """Sign the manifest; approvals of an earlier one are gone."""
    release = sign(read(options.directory / MANIFEST_FILE), load_private_key(options.key))
    release.save(options.directory)
    print(f"signed: version {release.manifest.version}, SHA-256 {release.digest.hex()}")
    return 0


def approve_directory(options: argparse.Namespace) -> int:
    """Approve what measuring this release makes of the PCR, together with PCRs of the host if they are named."""
    key = load_private_key(options.key)
    release = Release.load(options.directory, key.public_key())
    pcrs = {options.pcr: release.manifest.pcr}
    for index, value in options.host_pcr:
        if index in pcrs:
            raise ManifestError("--host-pcr", "each PCR once", index)
        pcrs[index] = value
    approved = approve(release, key, pcrs)
    approved.save(options.directory)
    print(f"approved: policy {approved.approvals[-1].policy.hex()} over PCR {', '.join(map(str, sorted(pcrs)))}")
    return 0


def check(options: argparse.Namespace) -> int:
    """Compare what is on the disk with the signed manifest, and print each difference."""
    release = Release.load(options.directory, load_public_key(options.public_key))
    with _progress(total=len(release.manifest.entries)) as each:
        found = measure(release.manifest.roots, each, missing_ok=True)
    different = differences(release.manifest.entries, found)
    for difference in different:
        print(f"{difference.what:8} {shown(difference.path)}")
    if different:
        print(f"{len(different)} of {len(release.manifest.entries)} files are not those of version", end=" ")
        print(release.manifest.version)
        return 1
    print(f"all {len(found)} files are those of version {release.manifest.version}")
    return 0


def keygen(options: argparse.Namespace) -> int:
    """Make a release key: the private half stays offline, the public one (FILE.pub.pem) goes to the service."""
    public = make_key(options.file)
    print(f"private key {options.file}, public key {public}")
    return 0


def _absolute(root: Path) -> str:
    """Return a root as the manifest names it: without links above it, itself not followed."""
    absolute = Path(os.path.abspath(root))  # noqa: PTH100 - resolve() would follow the root itself
    return str(absolute.parent.resolve() / absolute.name)


def _directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReleaseError(f"{path} cannot be made: {error.strerror}") from error


@contextmanager
def _progress(total: int | None = None) -> Iterator[Callable[[Entry], None] | None]:
    """Give what shows progress on a terminal after a while; the service's own requirements do without tqdm."""
    try:
        from tqdm import tqdm
    except ImportError:
        yield None
        return
    with tqdm(total=total, unit=" files", delay=PROGRESS_AFTER_S, disable=None, leave=False) as bar:
        yield lambda entry: bar.update()


def _host_pcr(text: str) -> tuple[int, bytes]:
    index, _, value = text.partition("=")
    try:
        pcr = int(index), bytes.fromhex(value)
    except ValueError:
        pcr = -1, b""
    if not 0 <= pcr[0] < 24 or len(pcr[1]) != DIGEST_BYTES:
        raise argparse.ArgumentTypeError(f"expected INDEX={2 * DIGEST_BYTES} digits of hex, got {shown(text)}")
    return pcr


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tpm.service.manifest",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        added.set_defaults(run=run)
        return added

    made = command("build", build)
    root = "a directory, file or link to measure; may be repeated"
    made.add_argument("--root", type=Path, action="append", required=True, help=root)
    made.add_argument("--version", required=True, help="of the release, for people")
    made.add_argument("--out", type=Path, required=True, help="directory of the release, outside the roots")
    for name, run in (("sign", sign_directory), ("approve", approve_directory)):
        added = command(name, run)
        added.add_argument("directory", type=Path, metavar="DIR", help="of the release")
        added.add_argument("--key", type=Path, required=True, help="the release key's private half, PEM")
    added.add_argument("--pcr", type=int, default=8, choices=MEASURED_PCRS, help="TPM_MEASURED_PCR of the service")
    host = "a PCR of the host (TPM_HOST_PCRS of the service) and its value; may be repeated"
    added.add_argument("--host-pcr", type=_host_pcr, action="append", default=[], metavar="INDEX=HEX", help=host)
    checked = command("check", check)
    checked.add_argument("directory", type=Path, metavar="DIR", help="of the release")
    checked.add_argument("--public-key", type=Path, required=True, help="the release key's public half, PEM")
    command("keygen", keygen).add_argument(
        "file", type=Path, metavar="FILE", help="of the private half; must not exist"
    )
    return parser
