"""A meter that signs: OCMF texts of begin, end and between, on any curve of OCMF, with its own count and registers.

    meter = SignedMeter("1EVP0000000001", curve="secp256r1")
    meter.public_key.hex()                       # DER SubjectPublicKeyInfo, what an operator registers
    meter.begin(3_988_000, at, "04AB076A345B85") # a text for the begin of a transaction; Wh, exact
    meter.end(3_999_100, at, "04AB076A345B85")   # and for its end
    meter.both(…)                                # or one text with both readings

Nothing in it is random: the same meter with the same secret signs the same bytes (RFC 6979; secp192k1 by a hash).
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from stations.metering.curves import CURVES, G, N, P, sum_of_products
from stations.metering.keys import public_key_read

HASHES = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}
IMPORT = "1-b:1.8.0"


@dataclass
class SignedMeter:
    """One meter. `spelled` is the curve's name in SA where it is another than `curve` (brainpool256r1)."""

    serial: str
    curve: str = "secp256r1"
    secret: int = 0xC0FFEE
    spelled: str = ""
    hash_name: str = "SHA256"
    signature_encoding: str = "hex"
    unit: str = "kWh"
    register: str = IMPORT
    version: str = "1.4"
    clock: str = "S"  # the state of its clock
    pagination: int = 0  # the number of the last text
    more: Mapping[str, Any] = field(default_factory=dict)  # further members of the payload

    def begin(self, register_wh: int | Fraction, at: datetime, identity: str = "", **changed: Any) -> str:
        """The text of a transaction's begin; `changed` replaces members of its reading."""
        return self.text([self.reading("B", register_wh, at) | changed], identity)

    def during(self, register_wh: int | Fraction, at: datetime, identity: str = "", **changed: Any) -> str:
        """A text while it goes on."""
        return self.text([self.reading("C", register_wh, at) | changed], identity)

    def end(self, register_wh: int | Fraction, at: datetime, identity: str = "", **changed: Any) -> str:
        """The text of its end."""
        return self.text([self.reading("E", register_wh, at) | changed], identity)

    def both(
        self, begin: tuple[int | Fraction, datetime], end: tuple[int | Fraction, datetime], identity: str = ""
    ) -> str:
        """One text with both readings; the second leaves out what has not changed, as OCMF allows."""
        first, last = self.reading("B", *begin), self.reading("E", *end)
        kept = {name: value for name, value in last.items() if name in ("TM", "TX", "RV") or value != first[name]}
        return self.text([first, kept], identity)

    def reading(self, transaction: str, register_wh: int | Fraction, at: datetime) -> dict[str, Any]:
        """A reading of the meter's register."""
        moment = f"{at:%Y-%m-%dT%H:%M:%S},{at.microsecond // 1000:03}{at:%z} {self.clock}"
        exact = Fraction(register_wh) / (1000 if self.unit == "kWh" else 1)
        value = Decimal(exact.numerator) / Decimal(exact.denominator)
        return {
            **{"TM": moment, "TX": transaction, "RV": value, "RI": self.register, "RU": self.unit, "RT": "AC"},
            **{"EF": "", "ST": "G"},
        }

    def text(self, readings: Sequence[Mapping[str, Any]], identity: str = "", **changed: Any) -> str:
        """A signed text with these readings and the meter's next number; `changed` replaces members of the payload."""
        self.pagination += 1
        named = {"IS": True, "IL": "TRUSTED", "IF": ["RFID_PLAIN", "OCPP_AUTH_TLS"], "IT": "ISO14443", "ID": identity}
        nobody = {"IS": False, "IL": "NONE", "IF": [], "IT": "NONE", "ID": ""}
        payload = {
            **{"FV": self.version, "GI": "EVPortal simulator", "GS": self.serial, "GV": "1"},
            **{"PG": f"T{self.pagination}", "MV": "EVPortal", "MM": "SIM-1", "MS": self.serial, "MF": "1"},
            **(named if identity else nobody),
            **self.more,
            "RD": list(readings),
        }
        return self.sealed(json_text(payload | changed))

    def sealed(self, payload: str) -> str:
        """The text of OCMF around a payload that is signed as it is."""
        name = f"ECDSA-{self.spelled or self.curve}-{self.hash_name}"
        signature = self.sign(payload.encode())
        member = {"SD": signature.hex().upper()}
        if self.signature_encoding == "base64":
            member = {"SE": "base64", "SD": base64.b64encode(signature).decode()}
        return f"OCMF|{payload}|{json_text({'SA': name} | member)}"

    @property
    def public_key(self) -> bytes:
        """DER SubjectPublicKeyInfo."""
        if CURVES[self.curve].library is None:
            return public_key_read(_point(*_product(self.secret)))[0]
        return self._private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def _private(self) -> ec.EllipticCurvePrivateKey:
        return _private_key(self.curve, self.secret)

    def sign(self, data: bytes) -> bytes:
        """A signature in DER."""
        if CURVES[self.curve].library is not None:
            return self._private.sign(data, ec.ECDSA(HASHES[self.hash_name], deterministic_signing=True))
        e = int.from_bytes(hashlib.new(self.hash_name, data).digest()[:24])
        k = int.from_bytes(hashlib.sha256(self.secret.to_bytes(24) + data).digest()) % (N - 1) + 1
        r = _product(k)[0] % N
        return encode_dss_signature(r, pow(k, -1, N) * (e + r * self.secret) % N)


@lru_cache
def _private_key(curve: str, secret: int) -> ec.EllipticCurvePrivateKey:
    library = CURVES[curve].library
    assert library is not None
    return ec.derive_private_key(secret, library())


def json_text(value: Any) -> str:
    """JSON without blanks, in which a Decimal keeps its digits."""
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(name)}:{json_text(member)}" for name, member in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(json_text, value)) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _product(number: int) -> tuple[int, int]:
    x, y, z = sum_of_products(number, G, 0, G)
    return x * pow(z, -2, P) % P, y * pow(z, -3, P) % P


def _point(x: int, y: int) -> bytes:
    """A key on secp192k1 in DER, by hand: no library makes one."""
    head = bytes.fromhex("3046301006072a8648ce3d020106052b8104001f03320004")
    return head + x.to_bytes(24) + y.to_bytes(24)
