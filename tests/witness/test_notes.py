"""Notes, keys and checkpoints: one spelling, and no damage goes unseen."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.witness.a_log import ECDSA, ED25519, ALog
from witness.errors import FormError
from witness.keys import SigningKey
from witness.notes import COSIGNATURE, Checkpoint, Note, Signature, VerifierKey, decimal

LOGS = [ALog(5, type=ECDSA), ALog(5, type=ED25519)]


@pytest.mark.parametrize("log", LOGS, ids=("P-256", "Ed25519"))
def test_a_checkpoint_is_read_and_its_signature_counts(log: ALog) -> None:
    note = Note.parse(log.note())
    found = Checkpoint.parse(note.text)
    assert (found.origin, found.size) == (log.origin, 5)
    assert note.whole.encode() == log.note() or log.type == ECDSA  # whose signatures differ each time
    assert note.signed_by(log.vkey)
    assert VerifierKey.parse(log.vkey.text) == log.vkey


@pytest.mark.parametrize("log", LOGS, ids=("P-256", "Ed25519"))
def test_no_damaged_byte_goes_unseen(log: ALog) -> None:
    data = log.note()
    for place in range(len(data)):
        for flipped in (1, 32, 128):
            damaged = data[:place] + bytes([data[place] ^ flipped]) + data[place + 1 :]
            try:
                note = Note.parse(damaged)
            except FormError:
                continue
            assert note.signed_by(log.vkey) is None, damaged


def test_a_bad_signature_of_a_known_key_spoils_a_good_one_beside_it() -> None:
    log = LOGS[0]
    bad = Signature(log.vkey.name, log.vkey.key_id, b"nothing").line.encode()
    assert Note.parse(log.note() + bad).signed_by(log.vkey) is None
    stranger = Signature(log.vkey.name, b"1234", b"nothing").line.encode()
    assert Note.parse(log.note() + stranger).signed_by(log.vkey)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"text\n\n\xe2\x80\x94 a AAAAAAA=",  # no last newline
        b"text\n\n- a AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 a\n",
        b"text\n\n\xe2\x80\x94 a+b AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 \xc2\xa0 AAAAAAA=\n",
        b"text\n\n\xe2\x80\x94 a AAAAAAA\n",  # no padding
        b"text\n\n\xe2\x80\x94 a AAAAAAB=\n",  # bits that say nothing
        b"text\n\n\xe2\x80\x94 a AAAA\n",  # the key's id alone would be AAAAAA==
        b"te\txt\n\n\xe2\x80\x94 a AAAAAAA=\n",
        b"text\r\n\n\xe2\x80\x94 a AAAAAAA=\n",
        b"te\xffxt\n\n\xe2\x80\x94 a AAAAAAA=\n",
        b"text\n\n" + b"\xe2\x80\x94 a AAAAAAA=\n" * 17,
        b"text" * 20_000 + b"\n\n\xe2\x80\x94 a AAAAAAA=\n",
    ],
)
def test_what_is_no_note(data: bytes) -> None:
    with pytest.raises(FormError):
        Note.parse(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "o\n1\n",
        "o\n1\nAAAA\n",
        f"o\n01\n{'A' * 43}=\n",
        f"\n1\n{'A' * 43}=\n",
        f"o\n+1\n{'A' * 43}=\n",
        f"o\n1\n{'A' * 43}=\n\n",
    ],
)
def test_what_is_no_checkpoint(text: str) -> None:
    with pytest.raises(FormError):
        Checkpoint.parse(text)


def test_extension_lines_are_signed_and_not_understood() -> None:
    assert Checkpoint.parse(f"o\n1\n{'A' * 43}=\nmore\n").size == 1


@pytest.mark.parametrize("text", ["", "-1", "00", "01", "1 ", "1\n", "١", "9223372036854775808", "1e3"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(FormError):
        decimal(text)


def test_what_is_no_key() -> None:
    good = LOGS[0].vkey.text
    name, key_id, encoded = good.split("+", 2)
    raw = base64.b64decode(encoded)
    wrong = [
        "",
        name,
        f"{name}+{key_id}+",
        f"{name}+00000000+{encoded}",
        f"+{key_id}+{encoded}",
        f"{name}+{key_id.upper()}+{encoded}" if key_id.upper() != key_id else "",
        f"{name}+{key_id}+{base64.b64encode(bytes([3]) + raw[1:]).decode()}",
        f"{name}+{key_id}+{base64.b64encode(raw + bytes(1)).decode()}",
        f"{name}+{key_id}+{base64.b64encode(raw[:40]).decode()}",
        f"{name}+{key_id}+{base64.b64encode(bytes([1]) + bytes(31)).decode()}",
    ]
    for each in wrong:
        with pytest.raises(FormError):
            VerifierKey.parse(each)


def test_a_cosignature_holds_for_its_time_and_text_alone() -> None:
    key = SigningKey.new("witness.example/w")
    made = key.cosign("text\n", 1_796_000_000)
    assert key.verifier.type == COSIGNATURE
    assert VerifierKey.parse(key.verifier.text) == key.verifier
    assert key.verifier.check(made.blob, "text\n")
    assert not key.verifier.check(made.blob, "texT\n")
    assert not key.verifier.check(bytes(8) + made.blob[8:], "text\n")
    assert not key.verifier.check(made.blob[8:], "text\n")
    with pytest.raises(ValueError, match="cosignature"):
        key.sign(b"cosignature/v1\n")


@given(st.binary(max_size=300))
def test_hostile_bytes_raise_nothing_else(data: bytes) -> None:
    for read in (
        Note.parse,
        lambda data: Checkpoint.parse(data.decode()),
        lambda data: VerifierKey.parse(data.decode()),
    ):
        try:
            read(data)
        except (FormError, UnicodeDecodeError):
            continue
