"""Witnesses are asked, each by itself; only what they really signed is kept and served."""

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django.fixtures import DjangoCaptureOnCommitCallbacks, Settings

from ledger.log import proofs, tree
from ledger.log.newest import published
from ledger.log.note import Note, VerifierKey, cosigned_at, verify
from ledger.log.witnesses import shown, tasks
from ledger.log.witnesses.asking import witness_ask
from ledger.log.witnesses.owing import AT_IT, owing
from ledger.log.witnesses.register import ENABLED_MAX, WitnessError, witness_add, witness_disable, witness_enable
from ledger.log.witnesses.served import published_note
from ledger.models import Alert, LogCosignature, LogWitness
from ledger.signals import checkpoint_published
from tests.ledger.log.operator import ORIGIN, LogKey, WitnessKey, leaves, publish, root_of, store
from tests.ledger.log.witness_server import Witness

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def local(settings: Settings) -> None:
    settings.WEBHOOK_ALLOW_LOCAL, settings.LOG_ORIGIN = True, ORIGIN


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> LogKey:
    made = LogKey()
    monkeypatch.setattr(shown, "log_vkey", lambda: made.vkey)
    return made


@pytest.fixture
def witness() -> Iterator[Witness]:
    made = Witness()
    yield made
    made.stop()


def added(witness: Witness) -> LogWitness:
    row, is_new = witness_add(url=witness.url, vkey=witness.key.vkey)
    assert is_new
    return row


def ask(row: LogWitness) -> LogWitness:
    """As the sweep does, once its time has come."""
    LogWitness.objects.filter(pk=row.pk).update(last_asked_at=None)
    tasks.witness_ask(row.pk)
    row.refresh_from_db()
    return row


def alerts() -> set[tuple[str, str]]:
    return set(Alert.objects.filter(closed_at__isnull=True).values_list("code", "subject"))


# --- the tree behind the proofs


@pytest.mark.parametrize("size", [1, 2, 3, 255, 256, 257, 700])
def test_proofs_from_tiles_are_those_of_the_leaves(size: int) -> None:
    entries = leaves(size)
    store(entries)
    assert proofs.root_at(size) == root_of(entries)
    for index in {0, size // 2, size - 1}:
        path = proofs.inclusion(index, size)
        assert tree.root_from_inclusion(index, size, tree.leaf_hash(entries[index]), path) == root_of(entries)
    for old in {1, size // 3, size - 1} - {0}:
        path = proofs.consistency(old, size)
        tree.check_consistency(old, root_of(entries[:old]), size, root_of(entries), path)
    assert proofs.consistency(0, size) == [] == proofs.consistency(size, size)


# --- asking


def test_a_witness_signs_each_checkpoint_and_its_line_is_served(key: LogKey, witness: Witness) -> None:
    row = added(witness)
    first = publish(key, leaves(3))
    assert ask(row).state == "OK" and row.last_size == 3 and row.last_error == ""
    second = publish(key, leaves(300))
    ask(row)
    assert [body.split("\n")[0] for body in witness.asked] == ["old 0", "old 3"]
    for checkpoint in (first, second):
        note = Note.parse(published_note(checkpoint))
        assert verify(note, VerifierKey.parse(key.vkey))
        assert cosigned_at(note, VerifierKey.parse(witness.key.vkey))
        assert [each.name for each in note.signatures] == [ORIGIN, "witness.test/w1"]
    assert published() == second and alerts() == set()
    ask(row)  # has signed the newest: is not asked
    assert len(witness.asked) == 2


def test_a_size_that_we_do_not_know_is_told_and_believed(key: LogKey, witness: Witness) -> None:
    """As after an answer that did not arrive: the witness has signed, and we do not know it."""
    witness.size, witness.root = 2, root_of(leaves(2))
    row = added(witness)
    publish(key, leaves(5))
    assert ask(row).last_size == 5
    assert [body.split("\n")[0] for body in witness.asked] == ["old 0", "old 2"]


def test_an_answer_that_got_lost_is_given_again(key: LogKey, witness: Witness) -> None:
    row, checkpoint = added(witness), publish(key, leaves(5))
    ask(row)
    LogCosignature.objects.all().delete()
    assert ask(row).state == "OK" and checkpoint.cosignatures.count() == 1
    assert witness.asked[-1].startswith("old 5\n\n")


def test_what_it_did_not_sign_is_not_kept(key: LogKey, witness: Witness) -> None:
    row, checkpoint = added(witness), publish(key, leaves(5))
    other = WitnessKey("witness.test/w1")
    future, past = (int((timezone.now() + timedelta(hours=hours)).timestamp()) for hours in (1, -1))
    bad = [
        other.line(checkpoint.note),
        WitnessKey("witness.test/w2").line(checkpoint.note),
        witness.key.line(key.note_of(leaves(6))),
        witness.key.line(checkpoint.note, future),
        witness.key.line(checkpoint.note, past),
        "no signature\n",
        "\u2014 witness.test/w1 AAAA\n",
        witness.key.line(checkpoint.note).rstrip("\n"),
    ]
    for line in bad:
        witness.answer = (200, line.encode())
        assert ask(row).state == "REFUSES", line
    assert not LogCosignature.objects.exists() and alerts() == {("witness_refuses", "witness.test/w1")}
    witness.answer = (200, (bad[1] + witness.key.line(checkpoint.note)).encode())  # beside a stranger's
    assert ask(row).state == "OK" and alerts() == set()


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_a_refusal_is_an_alert_at_once(key: LogKey, witness: Witness, status: int) -> None:
    row = added(witness)
    publish(key, leaves(5))
    witness.answer = (status, b"I do not know this \x1b[31mkey\n")
    assert ask(row).state == "REFUSES"
    assert row.last_error == f"HTTP {status}: I do not know this  [31mkey"
    assert alerts() == {("witness_refuses", "witness.test/w1")}
    witness.answer = None
    assert ask(row).state == "OK" and alerts() == set()


def test_one_that_is_away_is_asked_again_and_somebody_hears_of_it_later(
    key: LogKey, witness: Witness, settings: Settings
) -> None:
    row = added(witness)
    publish(key, leaves(5))
    witness.answer = (503, b"not yet on my node\n")
    assert ask(row).state == "NEW" and "not yet" in row.last_error and alerts() == set()
    settings.LOG_WITNESS_LATE_S = 0
    assert ask(row).state == "MISSING" and alerts() == {("witness_missing", "witness.test/w1")}
    witness.answer = None
    assert ask(row).state == "OK" and alerts() == set()


def test_nobody_answers(key: LogKey, witness: Witness, settings: Settings) -> None:
    settings.LOG_WITNESS_LATE_S = 0
    row = added(witness)
    publish(key, leaves(5))
    witness.stop()
    assert ask(row).state == "MISSING" and row.last_error.startswith("no answer")


def test_the_wait_doubles_and_ends(key: LogKey, witness: Witness) -> None:
    row = added(witness)
    LogWitness.objects.update(added_at=timezone.now() - timedelta(days=1))
    checkpoint = publish(key, leaves(5), ago=timedelta(hours=1))
    assert checkpoint.published_at is not None
    for asked_after, wait in ((0, 1), (4, 4), (100, 100), (3000, 300)):
        at = checkpoint.published_at + timedelta(seconds=asked_after)
        LogWitness.objects.filter(pk=row.pk).update(last_asked_at=at)
        (owed,) = owing()
        assert owed.wait.total_seconds() == wait and owed.is_due
    LogWitness.objects.filter(pk=row.pk).update(last_asked_at=timezone.now() - timedelta(seconds=290))
    (owed,) = owing()
    assert not owed.is_due
    publish(key, leaves(6))
    LogWitness.objects.update(last_size=5, last_asked_at=timezone.now() - timedelta(seconds=2), last_error="a reason")
    assert owing()[0].is_due
    LogWitness.objects.update(last_error=AT_IT)  # somebody is
    assert not owing()[0].is_due
    LogWitness.objects.update(last_asked_at=timezone.now() - timedelta(seconds=61))  # and was killed
    assert owing()[0].is_due
    LogWitness.objects.update(last_asked_at=timezone.now())
    witness_ask(witness_id=row.pk)
    assert witness.asked == []


def test_after_publication_each_is_announced_by_itself(
    key: LogKey,
    witness: Witness,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    row, checkpoint = added(witness), publish(key, leaves(5))
    off = WitnessKey("witness.test/off")
    witness_disable(witness=witness_add(url=witness.url, vkey=off.vkey)[0])
    told: list[object] = []
    monkeypatch.setattr("ledger.log.witnesses.hurrying.announce", lambda task, *args, **_: told.append((task, *args)))
    with django_capture_on_commit_callbacks(execute=True):
        checkpoint_published.send(sender=type(checkpoint), checkpoint=checkpoint)
        assert told == []
    assert told == [("ledger.tasks.witness_ask", row.pk)]


# --- two faces


def test_a_second_face_that_a_witness_has_signed_is_found_out(key: LogKey, witness: Witness) -> None:
    """Somebody with our key showed it another tree of the same size."""
    witness.size, witness.root = 5, root_of(leaves(5, "other"))
    row = added(witness)
    publish(key, leaves(5))
    witness.status = {"logs": [{"origin": ORIGIN, "checkpoint": key.note_of(leaves(5, "other"))}]}
    assert ask(row).state == "REFUSES" and alerts() == {("witness_refuses", "witness.test/w1")}
    tasks.witness_compare_one(row.pk)
    assert ("log_fork", "witness.test/w1") in alerts()
    publish(key, leaves(7))
    assert "422" in ask(row).last_error


def test_a_size_that_we_never_made_is_refused(key: LogKey, witness: Witness) -> None:
    witness.size = 9
    row = added(witness)
    publish(key, leaves(5))
    assert ask(row).last_error == "it knows this log with 9 leaves, we have published 5"


def test_what_a_witness_shows_counts_only_with_our_signature(key: LogKey, witness: Witness) -> None:
    row = added(witness)
    publish(key, leaves(300))
    right = [key.note_of(leaves(300)), key.note_of(leaves(120)), LogKey().note_of(leaves(3, "x")), "no note", 7]
    witness.status = {"logs": [{"checkpoint": note} for note in right] + [None, {"evidence": [{"notes": 3}, 4]}]}
    assert shown.witness_compare(witness=row) == []
    nonsense: list[object] = [None, [], {"logs": 3}, "x"]
    for status in nonsense:
        witness.status = status
        assert shown.witness_compare(witness=row) == []
    for wrong in (key.note_of(leaves(300, "x")), key.note_of(leaves(120, "x")), key.note_of(leaves(301))):
        witness.status = {"logs": [{"checkpoint": right[0], "evidence": [{"notes": [right[1], wrong]}]}]}
        (why,) = shown.witness_compare(witness=row)
        assert "with our signature" in why
    assert alerts() == {("log_fork", "witness.test/w1")}


# --- who they are


def test_addresses_and_keys_are_checked(witness: Witness, settings: Settings) -> None:
    good = witness.key.vkey
    for url in ("http://example.org/w", "https://10.0.0.1/w", "https://u:p@example.org/", "https://example.org/?a=1"):
        with pytest.raises(WitnessError, match="address of the witness"):
            witness_add(url=url, vkey=good)
    name, key_id, data = good.split("+", 2)
    for vkey in ("", "x", f"{name}+00000000+{data}", f"{name}+{key_id}+{data[:-4]}", LogKey().vkey):
        with pytest.raises(WitnessError, match="key of the witness"):
            witness_add(url="https://example.org/w/", vkey=vkey)
    with pytest.raises(WitnessError, match="that of the log"):
        witness_add(url="https://example.org/w", vkey=WitnessKey(ORIGIN).vkey)
    row, _ = witness_add(url="https://example.org/w/", vkey=f" {good}\n")
    assert (row.url, row.vkey, row.name) == ("https://example.org/w", good, "witness.test/w1")
    with pytest.raises(WitnessError, match="a new key needs a new name"):
        witness_add(url="https://example.org/w", vkey=WitnessKey("witness.test/w1").vkey)
    settings.WEBHOOK_ALLOW_LOCAL = False
    with pytest.raises(WitnessError):
        witness_add(url=witness.url, vkey=good)


def test_no_more_than_fit_below_a_note() -> None:
    for number in range(ENABLED_MAX):
        witness_add(url="https://example.org/w", vkey=WitnessKey(f"w{number}").vkey)
    one_more = WitnessKey("one-more").vkey
    with pytest.raises(WitnessError, match="already"):
        witness_add(url="https://example.org/w", vkey=one_more)
    witness_disable(witness=LogWitness.objects.get(name="w0"))
    assert witness_add(url="https://example.org/w", vkey=one_more)[1]
    with pytest.raises(WitnessError, match="already"):
        witness_enable(witness=LogWitness.objects.get(name="w0"))


def test_the_command_repeats_safely(key: LogKey, witness: Witness) -> None:
    def run(*args: str) -> str:
        out = StringIO()
        call_command("log_witness", *args, stdout=out)
        return out.getvalue()

    assert "nobody witnesses" in run("list")
    for _ in range(2):
        assert "witness.test/w1 is asked at" in run("add", witness.url, witness.key.vkey)
    assert "is no witness; nothing to do" in run("remove", "witness.test/nobody")
    checkpoint = publish(key, leaves(2))
    ask(LogWitness.objects.get())
    listed = run("list")
    assert "witness.test/w1: ok, 2 leaves" in listed and "last signed" in listed and witness.key.vkey in listed
    for _ in range(2):
        assert "what it signed stays" in run("remove", witness.url, witness.key.vkey)
    assert "switched off" in run("list")
    assert published_note(checkpoint).decode() == checkpoint.note
    run("add", witness.url, witness.key.vkey)
    assert witness.key.name in published_note(checkpoint).decode()
    other = WitnessKey("witness.test/other").vkey
    run("add", witness.url, other)
    assert "is no witness any more" in run("remove", "witness.test/other")
    with pytest.raises(CommandError, match="address of the witness"):
        run("add", "ftp://x", other)
