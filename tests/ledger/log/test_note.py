"""Notes, keys and tiles: one spelling each, and signatures by whom they say."""

import base64
import itertools
import os
import struct

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.log import note
from ledger.log.note import Checkpoint, Note, NoteError, Signature, VerifierKey, cosigned_at, verify
from ledger.log.tiles import WIDTH, Tile, TileError, bundle, entries_in, hashes_in, tiles_of
from witness import notes as theirs

ORIGIN, WITNESS = "example.org/log", "club.example/witness"
CHECKPOINT = Checkpoint(ORIGIN, 4711, bytes(range(32)))
LOG = ec.generate_private_key(ec.SECP256R1())
LOG_KEY = VerifierKey(
    ORIGIN, note.ECDSA, LOG.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
)
CLUB = Ed25519PrivateKey.generate()
CLUB_KEY = VerifierKey(WITNESS, note.COSIGNATURE, CLUB.public_key().public_bytes_raw())
PLAIN_KEY = VerifierKey(ORIGIN, note.ED25519, CLUB.public_key().public_bytes_raw())


def by_log(text: str) -> Signature:
    return Signature(ORIGIN, LOG_KEY.key_id, LOG.sign(text.encode(), ec.ECDSA(hashes.SHA256())))


def by_witness(text: str, at: int) -> Signature:
    blob = struct.pack(">Q", at) + CLUB.sign(note.cosigned(text, at))
    return Signature(WITNESS, CLUB_KEY.key_id, blob)


WHOLE = Note(CHECKPOINT.text, (by_log(CHECKPOINT.text), by_witness(CHECKPOINT.text, 1_790_000_000)))


def test_a_checkpoint_and_who_signed_it() -> None:
    read = Note.parse(bytes(WHOLE))
    assert read == WHOLE and Checkpoint.parse(read.text) == CHECKPOINT
    assert verify(read, LOG_KEY) and verify(read, CLUB_KEY) and cosigned_at(read, CLUB_KEY) == 1_790_000_000
    plain = Signature(ORIGIN, PLAIN_KEY.key_id, CLUB.sign(read.text.encode()))
    assert verify(read.with_signatures([plain]), PLAIN_KEY) and not verify(read, PLAIN_KEY)
    other = VerifierKey(WITNESS, note.COSIGNATURE, Ed25519PrivateKey.generate().public_key().public_bytes_raw())
    assert cosigned_at(read, other) is None and not verify(read, other)
    with pytest.raises(NoteError):
        cosigned_at(read, LOG_KEY)


def test_the_witness_reads_the_same() -> None:
    for key in (LOG_KEY, CLUB_KEY, PLAIN_KEY):
        assert theirs.VerifierKey.parse(key.text).text == key.text == VerifierKey.parse(key.text).text
    assert theirs.Note.parse(bytes(WHOLE)).text == WHOLE.text


def test_each_changed_byte_is_noticed() -> None:
    whole = bytes(WHOLE)
    for i, byte in enumerate(whole):
        data = whole[:i] + bytes([byte ^ 1]) + whole[i + 1 :]
        try:
            read = Note.parse(data)
        except NoteError:
            continue
        assert not (verify(read, LOG_KEY) and verify(read, CLUB_KEY)), (i, data)


def test_a_second_line_by_the_same_key_has_to_be_right_as_well() -> None:
    wrong = Signature(ORIGIN, LOG_KEY.key_id, by_log("another text").blob)
    assert not verify(WHOLE.with_signatures([wrong]), LOG_KEY)
    assert cosigned_at(WHOLE.with_signatures([by_witness("other", 5)]), CLUB_KEY) is None
    assert cosigned_at(WHOLE.with_signatures([by_witness(WHOLE.text, 1_790_000_005)]), CLUB_KEY) == 1_790_000_005
    for at in (0, 2**53):
        assert cosigned_at(Note(WHOLE.text, (by_witness(WHOLE.text, at),)), CLUB_KEY) is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\n\n" + by_log("a\n").line.encode(),
        b"no signature\n\n",
        b"text\r\n\n" + by_log("a\n").line.encode(),
        b"text\n\n" + by_log("a\n").line.encode()[:-1],
        b"text\n\n" + by_log("a\n").line.replace("—", "-").encode(),
        b"text\n\n" + "— a b AAAAAAAA\n".encode(),
        b"text\n\n" + "— a+b AAAAAAAA\n".encode(),
        b"text\n\n" + "— a AAAAAA==\n".encode(),
        b"text\n\n" + "— a AAAAAAB\n".encode(),
        b"text\n\n" + "— a AAAAAAAAAAB=\n".encode(),
        b"text\n\n" + by_log("a\n").line.encode() * 17,
        b"a" * note.NOTE_BYTES_MAX + b"\n\n" + by_log("a\n").line.encode(),
    ],
)
def test_notes_of_another_form(data: bytes) -> None:
    with pytest.raises(NoteError):
        Note.parse(data)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{ORIGIN}\n1\n",
        CHECKPOINT.text[:-1],
        CHECKPOINT.text + "extension\n",
        CHECKPOINT.text.replace("4711", "04711"),
        CHECKPOINT.text.replace("4711", "-1"),
        CHECKPOINT.text.replace("4711", "９"),
        CHECKPOINT.text.replace("4711", str(2**53)),
        CHECKPOINT.text.replace(ORIGIN, "höher.example"),
        CHECKPOINT.text.replace(ORIGIN, "a b"),
        CHECKPOINT.text.replace(ORIGIN, "+"),
        f"{ORIGIN}\n1\n{base64.b64encode(bytes(31)).decode()}\n",
        f"{ORIGIN}\n1\n{base64.b64encode(bytes(32)).decode()[:-2]}B=\n",
    ],
)
def test_checkpoints_of_another_form(text: str) -> None:
    with pytest.raises(NoteError):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        LOG_KEY.text.replace("+", "-", 1),
        LOG_KEY.text[:-4],
        f"{ORIGIN}+00000000+{LOG_KEY.text.rpartition('+')[2]}",
        CLUB_KEY.text.replace(WITNESS, "club.example/other"),
        VerifierKey(ORIGIN, 0x03, bytes(32)).text,
        VerifierKey(ORIGIN, note.ED25519, bytes(31)).text,
        VerifierKey(ORIGIN, note.ECDSA, bytes(91)).text,
        VerifierKey(
            ORIGIN,
            note.ECDSA,
            ec.generate_private_key(ec.SECP384R1())
            .public_key()
            .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        ).text,
    ],
    ids=itertools.count(),  # the keys are other ones in each process
)
def test_keys_of_another_form(text: str) -> None:
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


# --- tiles


def test_paths_of_tiles() -> None:
    spelt = {
        Tile(0, 5): "tile/0/005",
        Tile(1, 1_234_067, 3): "tile/1/x001/x234/067.p/3",
        Tile(None, 1000): "tile/entries/x001/000",
        Tile(63, 0, 255): "tile/63/000.p/255",
    }
    for tile, path in spelt.items():
        assert tile.path == path and Tile.at(path) == tile


@pytest.mark.parametrize(
    "path",
    [
        *("tile/00/005", "tile/0/5", "tile/0/x000/005", "tile/64/000", "tile/0/005.p/0", "tile/0/005.p/256"),
        *(
            "tile/0/005.p/01",
            "tile/0/005/",
            "/tile/0/005",
            "tile/-1/005",
            "tile/0/001/005",
            "tile/0/x001",
            "tile/0/００５",
        ),
    ],
)
def test_paths_of_no_tile(path: str) -> None:
    with pytest.raises(TileError):
        Tile.at(path)


def test_which_tiles_a_tree_has() -> None:
    assert list(tiles_of(0)) == []
    assert {tile.path for tile in tiles_of(257)} == {
        *("tile/entries/000", "tile/entries/001.p/1", "tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1")
    }
    for size in (1, 255, 256, 65_535, 65_536, 65_537, 70_000):
        found = list(tiles_of(size))
        assert all(tile.is_in(size) for tile in found)
        assert sum(tile.width for tile in found if tile.level == 0) == size
        assert max(tile.level or 0 for tile in found) == (0 if size < WIDTH else 1 if size < WIDTH**2 else 2)


def test_bundles() -> None:
    leaves = [os.urandom(40) for _ in range(3)]
    data = bundle(leaves)
    assert entries_in(data, 3) == leaves and len(data) == 3 * 42
    for broken in (data[:-1], data + b"\0", data[1:]):
        with pytest.raises(TileError):
            entries_in(broken, 3)
    with pytest.raises(TileError):
        entries_in(data, 2)
    assert hashes_in(bytes(64), 2) == [bytes(32)] * 2
    with pytest.raises(TileError):
        hashes_in(bytes(63), 2)
