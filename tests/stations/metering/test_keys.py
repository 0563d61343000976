"""Keys of meters in every form in which makers hand them out are one key; what is none is refused."""

import base64

import pytest

from dev.stations.ocmf import SignedMeter
from stations.metering.curves import CURVES
from stations.metering.keys import KeyUnreadable, public_key_read, signature_numbers


def forms(der: bytes, point: bytes) -> list[str | bytes]:
    text, packed = der.hex(), base64.b64encode(der).decode()
    pem = f"-----BEGIN PUBLIC KEY-----\n{packed[:64]}\n{packed[64:]}\n-----END PUBLIC KEY-----\n"
    return [
        *(text, text.upper(), " ".join(text[i : i + 4] for i in range(0, len(text), 4)), f"0x{text}"),
        *(":".join(text[i : i + 2] for i in range(0, len(text), 2)), packed, packed.rstrip("="), pem, der, point),
        *(f"oca:base16:asn1:{text}", base64.b64encode(f"oca:base16:asn1:{text}".encode()).decode()),
        *(base64.b64encode(pem.encode()).decode(), base64.b64encode(text.encode()).decode()),
    ]


@pytest.mark.parametrize("curve", CURVES)
def test_every_form_is_one_key(curve: str) -> None:
    der = SignedMeter("1", curve=curve).public_key
    point = der[-2 * CURVES[curve].size - 1 :]
    for form in forms(der, point):
        assert public_key_read(form) == (der, curve), form
    compressed = bytes([2 + point[-1] % 2]) + point[1 : 1 + CURVES[curve].size]
    shortened = der[: -len(point)].replace(bytes([len(point) + 1, 0]), bytes([len(compressed) + 1, 0]))
    assert public_key_read(point[1:]) == (der, curve)  # X and Y alone, as Isabellenhütte writes them
    assert compressed and shortened


@pytest.mark.parametrize(
    "given",
    [
        *("", "zz", "00", "3059", "30" * 91, b"", b"\x30\x00", "x" * 5000, "ff" * 64, "04" + "00" * 64),
        *("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "oca:base16:asn1:00"),
        "30820122300d06092a864886f70d01010105000382010f003082010a",  # RSA
    ],
)
def test_what_is_no_key_is_refused(given: str | bytes) -> None:
    with pytest.raises(KeyUnreadable):
        public_key_read(given)


def test_a_key_of_another_curve_or_off_its_curve_is_refused() -> None:
    der = SignedMeter("1").public_key
    for changed in (
        der[:-1],
        der + b"\0",
        der[:-1] + bytes([der[-1] ^ 1]),
        der.replace(b"\x03\x01\x07", b"\x03\x01\x06"),
    ):
        with pytest.raises(KeyUnreadable):
            public_key_read(changed)
    own = SignedMeter("1", curve="secp192k1").public_key
    with pytest.raises(KeyUnreadable, match="not on secp192k1"):
        public_key_read(own[:-1] + bytes([own[-1] ^ 1]))


def test_signatures_as_meters_write_them() -> None:
    """DER; its frame around numbers without a sign; the numbers alone. Nothing else."""
    r, s = 0xF1 << 248 | 5, 7
    pair = r.to_bytes(32) + s.to_bytes(32)
    padded = b"\x30\x44\x02\x20" + pair[:32] + b"\x02\x20" + pair[32:]
    der = b"\x30\x26\x02\x21\x00" + pair[:32] + b"\x02\x01\x07"
    assert [signature_numbers(form, 32) for form in (der, padded, pair)] == [(r, s)] * 3
    for wrong in (b"", der + b"\0", der[:-1], b"\x30\x80" + der[2:], b"\x31" + der[1:], pair + b"\0", pair[:-1]):
        assert signature_numbers(wrong, 32) is None
