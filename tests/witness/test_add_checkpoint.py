"""The protocol: every status, its reason, and what is kept."""

import base64
from pathlib import Path

import pytest

from tests.witness.a_log import ED25519, ALog, body, consistency, root_of
from tests.witness.conftest import NOW, Watched
from witness.config import Log
from witness.core import Answer
from witness.notes import Note, Signature


def cosigned_by(watched: Watched, note: bytes, answer: Answer) -> int:
    """The time of the answer's cosignature, which is valid."""
    assert answer.status == 200, answer
    whole = Note.parse(note + answer.text.encode())
    found = whole.signed_by(watched.key.verifier)
    assert found is not None
    return int.from_bytes(found.blob[:8], "big")


def test_it_cosigns_from_nothing_on_and_again(watched: Watched, a_log: ALog) -> None:
    for old, size in ((0, 3), (3, 4), (4, 4), (4, 20)):
        request = a_log.request(old, size)
        note = request.partition(b"\n\n")[2]
        assert cosigned_by(watched, note, watched.witness.add_checkpoint(request)) == NOW
        told = watched.witness.status()["logs"][0]
        assert (told["size"], bytes.fromhex(told["root"])) == (size, root_of(a_log.leaves[:size]))
        kept = Note.parse(told["checkpoint"].encode())
        assert kept.signed_by(a_log.vkey)
        assert kept.signed_by(watched.key.verifier)


def test_a_log_with_an_ed25519_key(tmp_path: Path) -> None:
    log = ALog(7, type=ED25519)
    watched = Watched(tmp_path, Log(log.vkey, None, None))
    assert watched.witness.add_checkpoint(log.request(0)).status == 200
    watched.state.close()


def test_what_it_signed_it_still_knows_after_a_restart(watched: Watched, a_log: ALog) -> None:
    watched.witness.add_checkpoint(a_log.request(0, 8))
    watched.again()
    answer = watched.witness.add_checkpoint(a_log.request(0, 20))
    assert (answer.status, answer.text, answer.content_type) == (409, "8\n", "text/x.tlog.size")
    assert watched.witness.add_checkpoint(a_log.request(8, 20)).status == 200


def test_another_old_size_hears_ours(watched: Watched, a_log: ALog) -> None:
    watched.witness.add_checkpoint(a_log.request(0, 8))
    for old, size in ((0, 20), (7, 20), (9, 20), (0, 8), (4, 6)):
        answer = watched.witness.add_checkpoint(a_log.request(old, size))
        assert (answer.status, answer.text, answer.content_type) == (409, "8\n", "text/x.tlog.size")


def test_old_above_new(watched: Watched, a_log: ALog) -> None:
    assert watched.witness.add_checkpoint(a_log.request(9, 8)).status == 400


def test_an_unknown_log(watched: Watched) -> None:
    assert watched.witness.add_checkpoint(ALog(3, origin="other.example/log").request(0)).status == 404


def test_a_strangers_signature(watched: Watched, a_log: ALog) -> None:
    stranger = ALog(3)
    assert watched.witness.add_checkpoint(stranger.request(0)).status == 403
    forged = stranger.note().rpartition(b"\n\n")[0].decode() + "\n"
    line = Signature(a_log.vkey.name, a_log.vkey.key_id, stranger.sign(forged)).line
    assert watched.witness.add_checkpoint(body(0, [], f"{forged}\n{line}".encode())).status == 403


def test_more_signatures_beside_the_logs_do_not_matter(watched: Watched, a_log: ALog) -> None:
    line = Signature("another.example/w", b"1234", bytes(72)).line.encode()
    assert watched.witness.add_checkpoint(body(0, [], a_log.note() + line)).status == 200


@pytest.mark.parametrize("old", ["", "-1", "01", "1.0", "9" * 30])
def test_no_size(watched: Watched, a_log: ALog, old: str) -> None:
    assert watched.witness.add_checkpoint(body(old, [], a_log.note())).status == 400


def test_what_is_no_request(watched: Watched, a_log: ALog) -> None:
    note = a_log.note()
    wrong = [
        b"",
        note,
        b"old 0\n" + note,
        b"old 0\r\n\r\n" + note,
        b"new 0\n\n" + note,
        b"old 0\n\n\n" + note,
        b"old 0\n\n" + note[:-1],
        b"old 0\n \n\n" + note,
        b"old 1\nAAAA\n\n" + note,
        b"old 1\n" + base64.b64encode(bytes(32)).rstrip(b"=") + b"\n\n" + note,
        body(1, [bytes(32)] * 64, note),
        b"old 0\n\n" + b"\xff" + note,
    ]
    for each in wrong:
        assert watched.witness.add_checkpoint(each).status == 400, each


def test_damaged_proofs(watched: Watched, a_log: ALog) -> None:
    watched.witness.add_checkpoint(a_log.request(0, 7))
    proof, note = consistency(7, a_log.leaves), a_log.note()
    for each in ([], proof[:-1], proof[1:], [*proof, bytes(32)], [bytes(32), *proof[1:]], proof[::-1]):
        assert watched.witness.add_checkpoint(body(7, each, note)).status == 422
    assert watched.witness.status()["logs"][0]["refused"]["status"] == 422
    assert watched.witness.add_checkpoint(body(7, proof, note)).status == 200


def test_from_nothing_there_is_no_proof(watched: Watched, a_log: ALog) -> None:
    assert watched.witness.add_checkpoint(body(0, [bytes(32)], a_log.note())).status == 422


def test_two_faces_of_one_size_are_refused_and_told(watched: Watched, a_log: ALog) -> None:
    """The operator signs two trees: both notes are kept, and anybody can see that one key signed both."""
    watched.witness.add_checkpoint(a_log.request(0, 20))
    mine, a_log.leaves[3] = a_log.note(20), bytes(40)
    answer = watched.witness.add_checkpoint(a_log.request(20, 20))
    assert (answer.status, answer.content_type.split(";")[0]) == (409, "text/plain")
    told = watched.witness.status()["logs"][0]
    assert told["root"] != root_of(a_log.leaves).hex()
    notes = [Note.parse(note.encode()) for note in told["evidence"][0]["notes"]]
    assert {note.text for note in notes} == {Note.parse(mine).text, Note.parse(a_log.note(20)).text}
    assert all(note.signed_by(a_log.vkey) for note in notes)
    assert told["refused"]["status"] == 409
    watched.again()
    assert watched.witness.status()["logs"][0]["evidence"] == told["evidence"]


def test_two_faces_where_the_other_one_is_larger(watched: Watched, a_log: ALog) -> None:
    watched.witness.add_checkpoint(a_log.request(0, 10))
    a_log.leaves[3] = bytes(40)
    assert watched.witness.add_checkpoint(a_log.request(10, 20)).status == 422
    told = watched.witness.status()["logs"][0]
    assert told["size"] == 10
    assert "does not begin with" in told["refused"]["reason"]
    assert Note.parse(told["refused"]["note"].encode()).signed_by(a_log.vkey)


def test_a_second_face_of_what_was_cosigned_before(watched: Watched, a_log: ALog) -> None:
    for old, size in ((0, 5), (5, 20)):
        watched.witness.add_checkpoint(a_log.request(old, size))
    a_log.leaves[3] = bytes(40)
    assert watched.witness.add_checkpoint(a_log.request(0, 5)).status == 409
    evidence = watched.witness.status()["logs"][0]["evidence"][0]
    assert "two roots for 5 leaves" in evidence["reason"]
    assert all(Note.parse(note.encode()).signed_by(a_log.vkey) for note in evidence["notes"])
    assert len(evidence["notes"]) == 2


def test_an_empty_log(watched: Watched, a_log: ALog) -> None:
    assert watched.witness.add_checkpoint(body(0, [], a_log.note(0, root=bytes(32)))).status == 422
    assert watched.witness.add_checkpoint(a_log.request(0, 0)).status == 200
    assert watched.witness.add_checkpoint(a_log.request(0, 20)).status == 200


def test_the_time_never_goes_back(watched: Watched, a_log: ALog) -> None:
    def time_of(old: int, size: int) -> int:
        request = a_log.request(old, size)
        return cosigned_by(watched, request.partition(b"\n\n")[2], watched.witness.add_checkpoint(request))

    assert time_of(0, 5) == NOW
    watched.now = NOW - 3600
    assert time_of(5, 6) == NOW
    assert "behind" in watched.witness.status()["clock"]
    watched.again()
    assert time_of(6, 7) == NOW
    watched.now = NOW + 5
    assert time_of(7, 8) == NOW + 5
    assert watched.witness.status()["clock"] is None


def test_a_clock_that_was_never_set_signs_nothing(watched: Watched, a_log: ALog) -> None:
    watched.now = 1000.0
    answer = watched.witness.add_checkpoint(a_log.request(0, 5))
    assert (answer.status, "clock" in answer.text) == (503, True)
    assert watched.witness.status()["logs"][0]["size"] == 0


def test_a_disk_that_is_full_signs_nothing(watched: Watched, a_log: ALog) -> None:
    watched.witness.add_checkpoint(a_log.request(0, 5))
    (path,) = (watched.directory / "origins").iterdir()
    path.with_name(f"{path.name}.new").mkdir()  # nothing can be written there
    with pytest.raises(OSError, match="directory"):
        watched.witness.add_checkpoint(a_log.request(5, 20))
    path.with_name(f"{path.name}.new").rmdir()
    assert watched.witness.status()["logs"][0]["size"] == 5
    assert watched.witness.add_checkpoint(a_log.request(5, 20)).status == 200
