"""Every way in which measured files are tampered with here, each done to one file or link."""

import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Victims:
    """What is tampered with: a file, a symbolic link beside it, and a directory that nobody measures."""

    file: Path
    link: Path
    outside: Path


Tampering = Callable[[Victims], None]


def changed(victims: Victims) -> None:
    victims.file.write_bytes(victims.file.read_bytes() + b"\n# one byte more, or two\n")


def one_bit(victims: Victims) -> None:
    content = bytearray(victims.file.read_bytes())
    content[len(content) // 2] ^= 1
    victims.file.write_bytes(content)


def emptied(victims: Victims) -> None:
    os.truncate(victims.file, 0)


def added(victims: Victims) -> None:
    victims.file.with_name("added.py").write_text("import this\n")


def added_in_a_new_directory(victims: Victims) -> None:
    (victims.file.parent / "new").mkdir()
    (victims.file.parent / "new" / "added.py").write_text("import this\n")


def added_link(victims: Victims) -> None:
    (victims.file.parent / "added-link").symlink_to("/etc/passwd")


def added_hard_link(victims: Victims) -> None:
    victims.file.with_name("second-name").hardlink_to(victims.file)


def removed(victims: Victims) -> None:
    victims.file.unlink()


def removed_link(victims: Victims) -> None:
    victims.link.unlink()


def moved(victims: Victims) -> None:
    victims.file.rename(victims.file.with_name("moved"))


def moved_out(victims: Victims) -> None:
    victims.file.rename(victims.outside / "moved")


def moved_in(victims: Victims) -> None:
    (victims.outside / "from-outside").write_text("x")
    (victims.outside / "from-outside").rename(victims.file.with_name("from-outside"))


def moved_over(victims: Victims) -> None:
    (victims.outside / "other").write_text("another file")
    (victims.outside / "other").chmod(victims.file.stat().st_mode)
    (victims.outside / "other").rename(victims.file)


def mode_changed(victims: Victims) -> None:
    victims.file.chmod(victims.file.stat().st_mode ^ 0o001)


def set_uid(victims: Victims) -> None:
    victims.file.chmod(victims.file.stat().st_mode | 0o4000)


def replaced_by_a_link(victims: Victims) -> None:
    shutil.copy2(victims.file, victims.outside / "copy")
    victims.file.unlink()
    victims.file.symlink_to(victims.outside / "copy")  # same content, same mode


def directory_replaced_by_a_link(victims: Victims) -> None:
    directory = victims.file.parent
    directory.rename(victims.outside / "directory")
    directory.symlink_to(victims.outside / "directory")


def link_retargeted(victims: Victims) -> None:
    target = victims.link.resolve()
    shutil.copy2(target, victims.outside / "copy")
    victims.link.unlink()
    victims.link.symlink_to(victims.outside / "copy")


def link_replaced_by_its_target(victims: Victims) -> None:
    target = victims.link.resolve()
    victims.link.unlink()
    shutil.copy2(target, victims.link)


def replaced_by_a_fifo(victims: Victims) -> None:
    victims.file.unlink()
    os.mkfifo(victims.file)


def replaced_by_a_socket(victims: Victims) -> None:
    victims.file.unlink()
    before = Path.cwd()
    os.chdir(victims.file.parent)  # a socket's path may be at most 107 bytes long
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(victims.file.name)
    finally:
        os.chdir(before)


def replaced_by_a_directory(victims: Victims) -> None:
    victims.file.unlink()
    victims.file.mkdir()


ALL: tuple[tuple[Tampering, tuple[str, ...]], ...] = (  # with what measuring says of it
    (changed, ("changed",)),
    (one_bit, ("changed",)),
    (emptied, ("changed",)),
    (added, ("added",)),
    (added_in_a_new_directory, ("added",)),
    (added_link, ("added",)),
    (added_hard_link, ("added",)),
    (removed, ("removed",)),
    (removed_link, ("removed",)),
    (moved, ("added", "removed")),
    (moved_out, ("removed",)),
    (moved_in, ("added",)),
    (moved_over, ("changed",)),
    (mode_changed, ("mode",)),
    (set_uid, ("mode",)),
    (replaced_by_a_link, ("link",)),
    (directory_replaced_by_a_link, ("added", "removed", "removed")),
    (link_retargeted, ("link",)),
    (link_replaced_by_its_target, ("link",)),
    (replaced_by_a_fifo, ("type",)),
    (replaced_by_a_socket, ("type",)),
    (replaced_by_a_directory, ("removed",)),
)
