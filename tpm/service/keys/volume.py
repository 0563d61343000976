"""The service's volume: JSON documents in a directory, one file each, written whole or not at all."""

import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from tpm.service.errors import KeyUnusableError

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Document = Mapping[str, Any]


class Volume(Generic[Item]):
    """The items of one directory by name, all in memory. One service owns the directory.

    `read` makes an item of a document, and raises ValueError, KeyError, TypeError or KeyUnusableError when it cannot.
    """

    def __init__(self, directory: Path, read: Callable[[Document], Item]) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for unfinished in directory.glob(".*.new"):
            unfinished.unlink()
        self._items = _read_all(directory, read)

    def all(self) -> list[Item]:
        """Return all items, ordered by name."""
        return [item for _, item in sorted(self._items.items())]

    def find(self, name: str) -> Item | None:
        """Return the item, None when there is none; raises KeyUnusableError when its file is damaged."""
        item = self._items.get(name)
        if item is None and self._path(name).exists():
            raise KeyUnusableError(f"the file of {name!r} is damaged: restore it from a backup, or remove it")
        return item

    def add(self, name: str, item: Item, document: Document) -> None:
        """Keep a new item: durably before anybody sees it, readable by the service alone."""
        _write(self._path(name), json.dumps({**document, "name": name}, indent=1).encode())
        self._items[name] = item

    def remove(self, name: str) -> None:
        """Remove an item for ever: the file was all there was of it."""
        self._path(name).unlink()
        _sync_directory(self._directory)
        del self._items[name]

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.json"


def _read_all(directory: Path, read: Callable[[Document], Item]) -> dict[str, Item]:
    """Read all items. A damaged file is left out and reported: the others go on working, and nothing replaces it."""
    items = {}
    for path in directory.glob("*.json"):
        try:
            document = json.loads(path.read_bytes())
            if document["name"] != path.stem:
                raise ValueError(f"expected the name {path.stem!r}, got {document['name']!r}")
            items[path.stem] = read(document)
        except (ValueError, KeyError, TypeError, KeyUnusableError) as error:
            log.error("%s is damaged: %s", path, error)
    return items


def _write(path: Path, content: bytes) -> None:
    building = path.with_name(f".{path.name}.new")
    descriptor = os.open(building, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    building.rename(path)
    _sync_directory(path.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
