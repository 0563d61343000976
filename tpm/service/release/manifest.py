"""The release manifest: which files the service consists of, what measuring them does to a PCR, and who approved it.

Pure values: no TPM and no Django. `python -m tpm.service.manifest --help` is the command (command.py).

A manifest is JSON, and its exact bytes are what the release key signs:

    {"format": "evportal-manifest/1", "version": "…", "created_at": "2026-11-23T09:00:00Z", "roots": ["/app", …],
     "files": [{"path", "sha256", "size", "mode"} | {"path", "link"}]}

`mode` is four octal digits ("0644"), `sha256` lower-case hex; paths are absolute and sorted by their bytes, and bytes
that are not UTF-8 appear as os.fsdecode has them (surrogateescape).

Measuring extends a PCR with one event an entry: PCR' = SHA-256(PCR || SHA-256(event)). The service's secrets are
bound to an approval: the release key's signature over the policy that these PCR values make (TPM2_PolicyAuthorize).
"""

import base64
import hashlib
import json
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tpm.service.release.entries import Entry, check_roots, events, within
from tpm.service.release.pcr import DIGEST_BYTES, PCR_START, POLICY_REF, extended, path_bytes
from tpm.service.release.release_files import read, write
from tpm.service.release.strict_json import (
    ManifestError,
    ReleaseSignatureError,
    base64_of,
    document,
    hex_of,
    list_of,
    mapping_of,
    object_with,
    shown,
    text_of,
)

FORMAT = "evportal-manifest/1"
MANIFEST_FILE = "manifest.json"
RELEASE_FILE = "release.json"
MAX_MANIFEST_BYTES = 64 * 1024 * 1024
PCRS = 24
CREATED_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|\+00:00)")
PCR_INDEX = re.compile(r"\d|1\d|2[0-3]", re.ASCII)

TPM_CC_POLICY_PCR = 0x0000017F  # TPM 2.0 Library, Part 2, 6.5.2
TPM_ALG_SHA256 = 0x000B  # Part 2, 6.3


def policy_digest(pcrs: Mapping[int, bytes]) -> bytes:
    """Return the policy of TPM2_PolicyPCR over an empty SHA-256 session (Part 3, 23.7), for these values by index.

    Raises ManifestError for an index outside 0 to 23, a value that is not 32 bytes, or no value at all.
    """
    if not pcrs:
        raise ManifestError("pcrs", "at least one PCR", "none")
    bitmap = bytearray(PCRS // 8)
    for index, value in pcrs.items():
        if not 0 <= index < PCRS:
            raise ManifestError("pcrs", f"an index of 0 to {PCRS - 1}", index)
        if len(value) != DIGEST_BYTES:
            raise ManifestError(f"pcrs.{index}", f"{DIGEST_BYTES} bytes", f"{len(value)} bytes")
        bitmap[index // 8] |= 1 << index % 8
    selection = struct.pack(">IHB", 1, TPM_ALG_SHA256, len(bitmap)) + bitmap  # TPML_PCR_SELECTION
    values = hashlib.sha256(b"".join(pcrs[index] for index in sorted(pcrs))).digest()
    return hashlib.sha256(bytes(DIGEST_BYTES) + struct.pack(">I", TPM_CC_POLICY_PCR) + selection + values).digest()


@dataclass(frozen=True)
class Manifest:
    """The files of one release. Made by parse() or manifest_of(), which check it; dumps() is its text."""

    version: str
    created_at: str
    roots: tuple[str, ...]
    entries: tuple[Entry, ...]

    @classmethod
    def parse(cls, text: bytes) -> "Manifest":
        """Return the manifest that this text holds; raises ManifestError naming field, expected and got."""
        given = document("manifest", text, MAX_MANIFEST_BYTES)
        fields = ("format", "version", "created_at", "roots", "files")
        if isinstance(given, dict) and given.get("format", FORMAT) != FORMAT:
            raise ManifestError("format", FORMAT, given["format"])
        given = object_with("manifest", given, fields)
        entries = []
        for index, item in enumerate(list_of("files", given["files"])):
            try:
                entries.append(Entry.parse(item))
            except ManifestError as error:
                raise error.inside(f"files[{index}]") from None
        roots = tuple(list_of("roots", given["roots"]))
        manifest = cls(text_of("version", given["version"]), given["created_at"], roots, tuple(entries))
        manifest.check()
        return manifest

    def dumps(self) -> bytes:
        """Return the text, one file a line, ASCII; the same manifest has the same text."""
        header = {"format": FORMAT, "version": self.version, "created_at": self.created_at, "roots": list(self.roots)}
        lines = ",\n".join(json.dumps(entry.json()) for entry in self.entries)
        return f'{json.dumps(header)[:-1]}, "files": [\n{lines}\n]}}\n'.encode("ascii")

    def check(self) -> None:
        """Raise ManifestError unless times, roots and paths are as the format says."""
        if not isinstance(self.created_at, str) or not CREATED_AT.fullmatch(self.created_at):
            raise ManifestError("created_at", "an ISO 8601 time in UTC", self.created_at)
        check_roots(self.roots)
        if not self.entries:
            raise ManifestError("files", "at least one", "none")
        before, root = b"", self.roots[0]
        for entry in self.entries:
            path = path_bytes(entry.path)
            if path == before:
                raise ManifestError("files", "each path once", f"{shown(entry.path)} twice")
            if path < before:
                raise ManifestError("files", "paths sorted by their bytes", f"{shown(entry.path)} too late")
            if not within(entry.path, root):  # mostly it lies where the one before lies
                found = next((other for other in self.roots if within(entry.path, other)), None)
                if found is None:
                    raise ManifestError("files", "paths within the roots", entry.path)
                root = found
            before = path

    @property
    def events(self) -> list[str]:
        """The events of all entries, in the order in which they are measured."""
        return events(self.entries)

    @property
    def pcr(self) -> bytes:
        """The value of a PCR that was zero before this release was measured into it."""
        return extended(PCR_START, self.events)


def manifest_of(*, version: str, created_at: str, roots: Sequence[str], entries: Iterable[Entry]) -> Manifest:
    """Return the checked manifest of these entries; raises ManifestError, also for a fifo or a device among them."""
    ordered = tuple(sorted(entries, key=lambda entry: path_bytes(entry.path)))
    return Manifest.parse(Manifest(version, created_at, tuple(roots), ordered).dumps())


@dataclass(frozen=True)
class Approval:
    """One set of PCR values that the release key approved: 32 bytes by index, their policy, and its signature (DER)."""

    pcrs: Mapping[int, bytes]
    policy: bytes
    signature: bytes

    @classmethod
    def parse(cls, value: object) -> "Approval":
        """Return the approval that this JSON object describes; raises ManifestError, also for another policy."""
        given = object_with("", value, ("pcrs", "policy", "signature"))
        pcrs = {}
        for index, pcr in mapping_of("pcrs", given["pcrs"]).items():
            if not PCR_INDEX.fullmatch(index):
                raise ManifestError("pcrs", f"an index of 0 to {PCRS - 1}", index)
            pcrs[int(index)] = hex_of(f"pcrs.{index}", pcr, DIGEST_BYTES)
        policy = policy_digest(pcrs)
        if hex_of("policy", given["policy"], DIGEST_BYTES) != policy:
            raise ManifestError("policy", f"{policy.hex()}, that of its PCRs", given["policy"])
        return cls(pcrs, policy, base64_of("signature", given["signature"]))

    def json(self) -> dict[str, Any]:
        """Return the JSON object that `parse` reads."""
        return {
            "pcrs": {str(index): self.pcrs[index].hex() for index in sorted(self.pcrs)},
            "policy": self.policy.hex(),
            "signature": base64.b64encode(self.signature).decode(),
        }


@dataclass(frozen=True)
class Release:
    """A signed manifest with the approvals of its PCR values: DIR/manifest.json and DIR/release.json."""

    manifest: Manifest
    text: bytes
    signature: bytes
    approvals: tuple[Approval, ...]

    @property
    def digest(self) -> bytes:
        """SHA-256 of the manifest's text."""
        return hashlib.sha256(self.text).digest()

    @classmethod
    def load(cls, directory: Path, public_key: ec.EllipticCurvePublicKey) -> "Release":
        """Return the release in this directory; raises a ReleaseError unless all of it was signed by the release key.

        1. Both files are there and can be read. 2. release.json is in its format. 3. The signature is one over exactly
        the bytes of manifest.json. 4. The digest named is theirs. 5. Each approval was signed. 6. The manifest is in
        its format.
        """
        text = read(directory / MANIFEST_FILE)  # 1
        about = read(directory / RELEASE_FILE)
        given = document(RELEASE_FILE, about, MAX_MANIFEST_BYTES)  # 2
        given = object_with(RELEASE_FILE, given, ("manifest_sha256", "signature", "approvals"))
        signature = base64_of("signature", given["signature"])
        named = hex_of("manifest_sha256", given["manifest_sha256"], DIGEST_BYTES)
        approvals = []
        for index, item in enumerate(list_of("approvals", given["approvals"])):
            try:
                approvals.append(Approval.parse(item))
            except ManifestError as error:
                raise error.inside(f"approvals[{index}]") from None
        _verify(public_key, signature, text, MANIFEST_FILE)  # 3
        if named != hashlib.sha256(text).digest():  # 4
            raise ManifestError("manifest_sha256", hashlib.sha256(text).hexdigest(), named.hex())
        for index, approval in enumerate(approvals):  # 5
            _verify(public_key, approval.signature, approval.policy + POLICY_REF, f"approvals[{index}]")
        return cls(Manifest.parse(text), text, signature, tuple(approvals))  # 6

    def save(self, directory: Path) -> None:
        """Write both files, each whole or not at all; raises ReleaseUnreadableError."""
        about = {
            "manifest_sha256": self.digest.hex(),
            "signature": base64.b64encode(self.signature).decode(),
            "approvals": [approval.json() for approval in self.approvals],
        }
        write(directory / MANIFEST_FILE, self.text)
        write(directory / RELEASE_FILE, json.dumps(about, indent=1).encode() + b"\n")

    def approval(self, policy: bytes) -> Approval | None:
        """Return the approval of this policy, None when the release key did not approve it."""
        return next((approval for approval in self.approvals if approval.policy == policy), None)


def sign(text: bytes, key: ec.EllipticCurvePrivateKey) -> Release:
    """Return the release of this manifest's text, signed and with no approval yet; raises ManifestError."""
    return Release(Manifest.parse(text), text, key.sign(text, ec.ECDSA(hashes.SHA256())), ())


def approve(release: Release, key: ec.EllipticCurvePrivateKey, pcrs: Mapping[int, bytes]) -> Release:
    """Return the release with these PCR values (32 bytes by index) approved, in the place of an older approval."""
    policy = policy_digest(pcrs)
    approval = Approval(dict(pcrs), policy, key.sign(policy + POLICY_REF, ec.ECDSA(hashes.SHA256())))
    others = tuple(other for other in release.approvals if other.policy != policy)
    return replace(release, approvals=(*others, approval))


def _verify(key: ec.EllipticCurvePublicKey, signature: bytes, text: bytes, what: str) -> None:
    try:
        key.verify(signature, text, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise ReleaseSignatureError(f"{what}: its signature is not one of the release key") from error
