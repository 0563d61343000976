"""A log as its operator makes it, with keys in software: one that is honest, and what it takes to lie."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils import timezone

from ledger.log import tree
from ledger.models import ChainTransaction, LogCheckpoint, LogTile

ORIGIN = "ledger.test/log"


def leaves(count: int, face: str = "") -> list[bytes]:
    """The first entries of a log; of another `face` the same ids with other digests."""
    return [tree.leaf(number, hashlib.sha256(f"{face}{number}".encode()).digest()) for number in range(1, count + 1)]


class LogKey:
    """The log's key, P-256."""

    def __init__(self, origin: str = ORIGIN) -> None:
        self.origin = origin
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._public = self._private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self._id = hashlib.sha256(self._public).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.origin}+{self._id.hex()}+{base64.b64encode(bytes([2]) + self._public).decode()}"

    def note(self, size: int, root: bytes) -> str:
        text = f"{self.origin}\n{size}\n{base64.b64encode(root).decode()}\n"
        signature = self._id + self._private.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
        return f"{text}\n\u2014 {self.origin} {base64.b64encode(signature).decode()}\n"

    def note_of(self, entries: Sequence[bytes]) -> str:
        return self.note(len(entries), root_of(entries))


class WitnessKey:
    """A witness's key, Ed25519 as cosignature/v1."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._private = Ed25519PrivateKey.generate()
        self._public = self._private.public_key().public_bytes_raw()
        self._id = hashlib.sha256(name.encode() + b"\n\x04" + self._public).digest()[:4]

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self._id.hex()}+{base64.b64encode(bytes([4]) + self._public).decode()}"

    def line(self, note: str, seconds: int | None = None) -> str:
        """The line that it puts below a note."""
        seconds = int(timezone.now().timestamp()) if seconds is None else seconds
        text = note.partition("\n\n")[0] + "\n"
        signature = self._private.sign(f"cosignature/v1\ntime {seconds}\n{text}".encode())
        blob = self._id + seconds.to_bytes(8, "big") + signature
        return f"\u2014 {self.name} {base64.b64encode(blob).decode()}\n"

    def ak_certificate(self, ak: bytes, ek_certificate: bytes, seconds: int, **changed: object) -> dict[str, object]:
        """What it says of the TPM of this AK, which it has looked at."""
        hashed = [hashlib.sha256(part).hexdigest() for part in (ak, ek_certificate, b"the root")]
        members: dict[str, object] = dict(zip(("ak", "ek_certificate", "root"), hashed, strict=True))
        found = {"format": "evportal-ak-certificate/1", **members, "time": seconds, **changed}
        lines = (found["format"], self.name, *(found[each] for each in ("ak", "ek_certificate", "root", "time")))
        signature = self._private.sign("".join(f"{line}\n" for line in lines).encode())
        return {**found, "signature": base64.b64encode(signature).decode()}


def root_of(entries: Iterable[bytes]) -> bytes:
    return tree.root_of([tree.leaf_hash(entry) for entry in entries])


def store(entries: Sequence[bytes]) -> None:
    """Make these the leaves in the database, as the builder stores them."""
    LogTile.objects.all().delete()
    level, parts, width = 0, list(entries), 256
    while parts:
        for index in range(0, len(parts), width):
            tile = parts[index : index + width]
            LogTile.objects.create(level=level, index=index // width, width=len(tile), data=b"".join(tile))
        whole = [parts[at : at + width] for at in range(0, len(parts) - width + 1, width)]
        hashed = [[tree.leaf_hash(part) for part in tile] for tile in whole] if level == 0 else whole
        parts, level = [tree.root_of(tile) for tile in hashed], level + 1


def publish(key: LogKey, entries: Sequence[bytes], *, ago: timedelta = timedelta(), **fields: object) -> LogCheckpoint:
    """A checkpoint over these leaves, on the chain for good since then."""
    store(entries)
    newest = LogCheckpoint.objects.order_by("-size").first()
    at, size = timezone.now() - ago, len(entries)
    row = ChainTransaction.objects.create(
        status="IRREVERSIBLE",
        transaction_id=hashlib.sha256(f"{size}".encode()).hexdigest(),
        packed=b"\x00",
        signature="SIG_R1_x",
        public_key="PUB_R1_x",
        ref_block_num=1,
        signed_at=at,
        expires_at=at,
        block_num=1000 + size,
        block_id=f"{size:064x}",
        irreversible_at=at,
    )
    stored = {"note": key.note_of(entries), "made_at": at, "signed_at": at, "published_at": at, "transaction": row}
    stored |= {"size": size, "old_size": newest.size if newest else 0, "root": root_of(entries), "upto_block": 900}
    names = {field.name for field in LogCheckpoint._meta.get_fields()}
    known = {"vkey": key.vkey} if "vkey" in names else {}
    return LogCheckpoint.objects.create(**{**stored, **known, **fields})
