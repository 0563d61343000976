"""The log under /log/ and as exported files: read by the witness' own reader, and never beyond what is published."""

from collections.abc import Callable
from hashlib import sha256
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from ledger.log import tree
from ledger.log.tiles import WIDTH, entries_in, hashes_in, tiles_of
from ledger.models import ChainTransaction, LogCheckpoint, LogTile

pytestmark = pytest.mark.django_db
LEAVES = [tree.leaf(number + 1, sha256(number.to_bytes(4, "big")).digest()) for number in range(WIDTH * 2 + 3)]
ROOT = tree.root_of([tree.leaf_hash(one) for one in LEAVES])
Publish = Callable[[int], LogCheckpoint]


@pytest.fixture
def publish() -> Publish:
    """All leaves are in the tiles, but only so many are of a published checkpoint."""
    for index in range(0, len(LEAVES), WIDTH):
        some = LEAVES[index : index + WIDTH]
        LogTile.objects.create(level=0, index=index // WIDTH, width=len(some), data=b"".join(some))
    tops = [tree.root_of([tree.leaf_hash(one) for one in LEAVES[at : at + WIDTH]]) for at in (0, WIDTH)]
    LogTile.objects.create(level=1, index=0, width=2, data=b"".join(tops))

    def made(size: int) -> LogCheckpoint:
        root = tree.root_of([tree.leaf_hash(one) for one in LEAVES[:size]])
        now = timezone.now()
        row = ChainTransaction.objects.create(
            status="IRREVERSIBLE", packed=b"1", transaction_id=f"{size:064}", expires_at=now, block_num=size
        )
        return LogCheckpoint.objects.create(
            size=size,
            old_size=LogCheckpoint.objects.count(),
            root=root,
            upto_block=size,
            note=f"a note of {size}\n\nsigned\n",
            signed_at=now,
            vkey="the key",
            transaction=row,
            published_at=now,
        )

    return made


def test_everything_of_a_tree_can_be_read(publish: Publish, client: Client) -> None:
    publish(len(LEAVES))
    assert client.get("/log/checkpoint").content == b"a note of 515\n\nsigned\n"
    found: dict[int | None, list[bytes]] = {}
    for tile in tiles_of(len(LEAVES)):
        answer = client.get(f"/log/{tile.path}")
        assert answer.status_code == 200 and answer["Content-Type"] == "application/octet-stream"
        assert "immutable" in answer["Cache-Control"] and not answer.cookies
        read = entries_in if tile.level is None else hashes_in
        found.setdefault(tile.level, []).extend(read(answer.content, tile.width))
    assert found[None] == LEAVES and tree.root_of(found[0]) == ROOT
    assert found[1] == [tree.root_of(found[0][:WIDTH]), tree.root_of(found[0][WIDTH : 2 * WIDTH])]


@pytest.mark.parametrize(
    "path",
    [
        *("tile/0/000.p/201", "tile/0/000", "tile/entries/000", "tile/1/000.p/1", "tile/0/001", "tile/2/000.p/1"),
        *("tile/0/0", "tile/00/000.p/1", "checkpoints", "", "tile/entries/../checkpoint", "tile/0/000.p/256"),
    ],
)
def test_nothing_beyond_the_published_checkpoint(path: str, publish: Publish, client: Client) -> None:
    assert client.get("/log/checkpoint").status_code == 404, "nothing is published"
    publish(200)
    assert client.get("/log/tile/0/000.p/200").status_code == 200
    assert client.get(f"/log/{path}").status_code == 404


def test_a_tile_costs_two_queries(
    publish: Publish, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    publish(len(LEAVES))
    with django_assert_num_queries(2):
        client.get("/log/tile/0/000")
    with django_assert_num_queries(2):
        client.get("/log/checkpoint")
    assert client.post("/log/checkpoint").status_code == 405


def test_exported_files_are_what_is_served(publish: Publish, client: Client, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no published checkpoint"):
        call_command("ledger_log", "export", tmp_path)
    publish(300)
    said = StringIO()
    call_command("ledger_log", "export", tmp_path, "--dry-run", stdout=said)
    assert "5 tiles would be written" in said.getvalue() and not list(tmp_path.iterdir())
    call_command("ledger_log", "export", tmp_path, stdout=said)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"checkpoint", *(tile.path for tile in tiles_of(300))}
    for name in files:
        assert (tmp_path / name).read_bytes() == client.get(f"/log/{name}").content
    publish(len(LEAVES))
    said = StringIO()
    call_command("ledger_log", "export", tmp_path, stdout=said)
    assert "2 there already" in said.getvalue()
    assert (tmp_path / "checkpoint").read_bytes() == client.get("/log/checkpoint").content


def test_an_export_that_cannot_be_written_says_so(publish: Publish, tmp_path: Path) -> None:
    publish(1)
    (tmp_path / "tile").write_text("in the way")
    with pytest.raises(CommandError, match="tile"):
        call_command("ledger_log", "export", tmp_path)
