"""PURE. Public keys of meters in every form in which makers hand them out, as DER SubjectPublicKeyInfo."""

import base64
import binascii
import re
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from stations.metering.curves import CURVES, Secp192k1Key

PEM = re.compile(r"-----BEGIN ([A-Z ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----\s*")
# The Open Charge Alliance's form for OCPP: which text, which structure, then the key.
OCA = re.compile(r"oca:(base16|base64):asn1:", re.IGNORECASE)
EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")
KEY_MAX = 4096  # characters; the longest real one has 320
HASHES = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}


class KeyUnreadable(ValueError):
    """It is no public key of a meter; the message says why."""


class MeterKey:
    """A key that verifies; `curve` is one of CURVES."""

    def __init__(self, curve: str, point: bytes) -> None:
        self.curve = curve
        library = CURVES[curve].library
        self._own: Secp192k1Key | None = None
        try:
            if library is None:
                self._own = Secp192k1Key.decode(point)
                self.point = self._own.encode()
                return
            self._key = ec.EllipticCurvePublicKey.from_encoded_point(library(), point)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise KeyUnreadable(f"no point on {curve}: {error}") from error
        self.point = self._key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        self._algorithms = {name: ec.ECDSA(algorithm) for name, algorithm in HASHES.items()}

    @property
    def der(self) -> bytes:
        """SubjectPublicKeyInfo with the curve's name and the point not compressed: one spelling a key."""
        oid = CURVES[self.curve].oid
        algorithm = _tagged(0x30, EC_PUBLIC_KEY + _tagged(0x06, oid))
        return _tagged(0x30, algorithm + _tagged(0x03, b"\0" + self.point))

    def verifies(self, signature: bytes, signed: bytes, hash_name: str) -> bool:
        """Whether the signature over these bytes is this key's; also False where no meter writes one so."""
        if self._own is None:
            found = _in_der(signature, CURVES[self.curve].size)
            if found is None:
                return False
            try:
                self._key.verify(found, signed, self._algorithms[hash_name])
            except InvalidSignature:
                return False
            return True
        numbers = signature_numbers(signature, CURVES[self.curve].size)
        digest = hashes.Hash(HASHES[hash_name])
        digest.update(signed)
        return numbers is not None and self._own.verifies(*numbers, digest.finalize())


def _in_der(signature: bytes, size: int) -> bytes | None:
    numbers = signature_numbers(signature, size)
    return None if numbers is None else encode_dss_signature(*numbers)


def signature_numbers(signature: bytes, size: int) -> tuple[int, int] | None:
    """r and s of a signature as meters write it, with coordinates of so many bytes; None where it is none.

    DER; or DER's frame around numbers of fixed length, without a sign (eBZ); or the two numbers alone (Isabellenhütte).
    """
    if len(signature) == 2 * size and signature[:1] != b"\x30":
        return int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
    try:
        content, behind = _untagged(0x30, signature)
        first, rest = _untagged(0x02, content)
        second, rest = _untagged(0x02, rest)
    except KeyUnreadable:
        frame_fits = False
    else:
        frame_fits = not behind and not rest and 0 < len(first) <= size + 1 and 0 < len(second) <= size + 1
    if frame_fits:
        return int.from_bytes(first), int.from_bytes(second)
    return (int.from_bytes(signature[:size]), int.from_bytes(signature[size:])) if len(signature) == 2 * size else None


def public_key_read(given: str | bytes) -> tuple[bytes, str]:
    """DER SubjectPublicKeyInfo and the curve (one of CURVES) of a key in hexadecimal, base64, PEM or bytes.

    Bytes, however spelled, are SubjectPublicKeyInfo or a point as SEC 1 writes it, also without its first byte; the
    curve of a point is the one that it lies on. Raises KeyUnreadable.
    """
    data = _bytes_of(given) if isinstance(given, str) else given
    key = _of_der(data) if data[:1] == b"\x30" and len(data) not in _POINTS else _of_point(data)
    return key.der, key.curve


@lru_cache(maxsize=4096)
def meter_key(der: bytes) -> MeterKey:
    """The key of a SubjectPublicKeyInfo, kept. Raises KeyUnreadable."""
    return _of_der(der)


def _bytes_of(text: str) -> bytes:
    if len(text) > KEY_MAX:
        raise KeyUnreadable("too long for a public key")
    if "-----BEGIN" in text:
        found = PEM.search(text)
        if not found or found[1] != "PUBLIC KEY":
            raise KeyUnreadable("a PEM text, but none of a public key (PUBLIC KEY)")
        text = found[2]
    text = "".join(OCA.sub("", text.strip()).split())
    plain = text.replace(":", "").removeprefix("0x")
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", plain):
        return bytes.fromhex(plain)
    try:
        padded = text.rstrip("=").replace("-", "+").replace("_", "/")
        found_bytes = base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise KeyUnreadable("neither hexadecimal, base64 nor PEM") from error
    # OCPP 2.x wraps the text of a key in base64 once more.
    inner = found_bytes.lstrip()
    if (
        inner[:10] == b"-----BEGIN"
        or OCA.match(inner[:20].decode("latin-1"))
        or re.fullmatch(rb"[0-9A-Fa-f]{90,}", inner)
    ):
        return _bytes_of(inner.decode("latin-1"))
    return found_bytes


def _of_der(data: bytes) -> MeterKey:
    """SEQUENCE { SEQUENCE { id-ecPublicKey, curve }, BIT STRING point }, in DER and nothing behind it."""
    whole, rest = _untagged(0x30, data)
    algorithm, whole = _untagged(0x30, whole)
    point, behind = _untagged(0x03, whole)
    if rest or behind or not algorithm.startswith(EC_PUBLIC_KEY):
        raise KeyUnreadable("no public key of an elliptic curve")
    oid, behind = _untagged(0x06, algorithm[len(EC_PUBLIC_KEY) :])
    curve = next((name for name, known in CURVES.items() if known.oid == oid), None)
    if behind or curve is None:
        raise KeyUnreadable("the key's curve is none on which meters sign")
    if point[:1] != b"\0":
        raise KeyUnreadable("the key's point is not whole bytes")
    return MeterKey(curve, point[1:])


_POINTS = {length for curve in CURVES.values() for length in (2 * curve.size, 2 * curve.size + 1, curve.size + 1)}


def _of_point(data: bytes) -> MeterKey:
    found = []
    for name, curve in CURVES.items():
        point = b"\4" + data if len(data) == 2 * curve.size else data
        forms = {2 * curve.size + 1: (4,), curve.size + 1: (2, 3)}
        if point and point[0] in forms.get(len(point), ()):
            try:
                found.append(MeterKey(name, point))
            except KeyUnreadable:
                continue
    if len(found) != 1:
        raise KeyUnreadable("a point of several curves: say it as SubjectPublicKeyInfo" if found else "no public key")
    return found[0]


def _tagged(tag: int, content: bytes) -> bytes:
    size = len(content)
    return bytes([tag, size]) + content if size < 128 else bytes([tag, 0x81, size]) + content


def _untagged(tag: int, data: bytes) -> tuple[bytes, bytes]:
    """The content of the first element, which has this tag, and what stands behind it."""
    if len(data) < 2 or data[0] != tag:
        raise KeyUnreadable("no SubjectPublicKeyInfo")
    at, size = 2, data[1]
    if size == 0x81 and len(data) > 2 and data[2] >= 128:
        at, size = 3, data[2]
    elif size >= 128:
        raise KeyUnreadable("a length in another form than DER's")
    if len(data) < at + size:
        raise KeyUnreadable("cut off")
    return data[at : at + size], data[at + size :]
