"""My data: all that we hold of a person in one ZIP.

Each package says what it holds as a `Section` (`section_add`, when Django starts); this module makes the ZIP of them.
A worker makes it in pieces of a megabyte that are stored as they come, so memory stays flat. A worker that is killed
leaves an attempt that nobody claims any more after a minute: the sweep begins a new one. It is gone after a day.
"""

import io
import logging
import smtplib
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F, Q
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext

from accounts.models import Archive, ArchivePart, User
from common import clock
from common.announce import announce

log = logging.getLogger(__name__)
KEPT_FOR = timedelta(days=1)
CLAIM = timedelta(seconds=60)
ATTEMPTS_MAX = 5
PART_BYTES = 1 << 20
PROGRESS_EVERY_S = 0.5

Chunks = Iterable[str | bytes]


class SupersededError(Exception):
    """Another worker took the archive over, or it is gone: this attempt ends."""


@dataclass(frozen=True)
class Section:
    """What one package holds of a person.

    `about` says in the archive's README.txt what the files are; `holds` in a phrase what there is of this person, for
    the page ("3 cards and contracts"); `files` gives (path in the ZIP, its chunks), `count` how many files.
    """

    name: str
    about: str | Promise
    holds: Callable[[User], str | Promise]
    files: Callable[[User], Iterator[tuple[str, Chunks]]]
    count: Callable[[User], int] = lambda user: 1


SECTIONS: dict[str, Section] = {}


def section_add(section: Section) -> None:
    """To be called when Django starts, by the package that holds something of people."""
    SECTIONS[section.name] = section


# --- asking for one


def archive_ask(*, customer: User) -> Archive:
    """The archive that is being made for this person: a new one, unless one is under way already."""
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(pk=customer.pk)  # of two clicks at once one waits
        archive, created = Archive.objects.get_or_create(customer=customer, status=Archive.Status.ASKED)
        if created:
            Archive.objects.filter(customer=customer, status=Archive.Status.FAILED).delete()
            transaction.on_commit(lambda: announce("accounts.tasks.archive_make", archive.pk))
    return archive


def archive_ready(*, customer: User) -> Archive | None:
    """The newest one that can be fetched."""
    return Archive.objects.filter(customer=customer, status=Archive.Status.READY, expires_at__gt=clock.now()).first()


def archive_bytes(archive: Archive) -> Iterator[bytes]:
    """The ZIP, piece by piece."""
    numbers = ArchivePart.objects.filter(archive=archive, attempt=archive.attempt).values_list("number", flat=True)
    for number in list(numbers.order_by("number")):
        part = ArchivePart.objects.get(archive=archive, attempt=archive.attempt, number=number)
        yield bytes(part.content)


# --- making it


def archive_build(*, archive_id: int) -> bool:
    """Make an archive that was asked for; False where another worker is at it or took it over, or it is gone."""
    archive = _claimed(archive_id)
    if archive is None:
        return False
    with translation.override(archive.customer.language or None):
        try:
            _write(archive)
        except SupersededError:
            return False
        _tell(archive.customer)
    return True


def _claimed(archive_id: int) -> Archive | None:
    waiting = Archive.objects.filter(
        clock.free(CLAIM), pk=archive_id, status=Archive.Status.ASKED, customer__is_active=True
    )
    if not waiting.update(claimed_until=clock.now() + CLAIM, attempt=F("attempt") + 1, files_done=0):
        return None
    archive = Archive.objects.select_related("customer").get(pk=archive_id)
    ArchivePart.objects.filter(archive=archive).exclude(attempt=archive.attempt).delete()
    return archive


def _write(archive: Archive) -> None:
    customer, sections = archive.customer, list(SECTIONS.values())
    progress = Progress(archive, total=1 + sum(section.count(customer) for section in sections))
    parts = Parts(archive)
    with zipfile.ZipFile(parts, "w", zipfile.ZIP_DEFLATED) as zipped:
        _file(zipped, "README.txt", [_readme(customer, sections)], progress)
        for section in sections:
            for path, chunks in section.files(customer):
                _file(zipped, path, chunks, progress)
    parts.end()
    _ready(archive, size=parts.size)


def _file(zipped: zipfile.ZipFile, path: str, chunks: Chunks, progress: "Progress") -> None:
    about = zipfile.ZipInfo(path, clock.now().timetuple()[:6])
    about.compress_type, about.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
    with zipped.open(about, "w") as file:
        for chunk in chunks:
            file.write(chunk.encode() if isinstance(chunk, str) else chunk)
            progress.tell()
    progress.done += 1


def _readme(customer: User, sections: list[Section]) -> str:
    context = {"sections": sections, "customer": customer, "made_at": clock.now()}
    return render_to_string("accounts/privacy/README.txt", context)


def _ready(archive: Archive, *, size: int) -> None:
    now = clock.now()
    with transaction.atomic():
        mine = Archive.objects.filter(pk=archive.pk, attempt=archive.attempt, status=Archive.Status.ASKED)
        done = {"status": Archive.Status.READY, "ready_at": now, "expires_at": now + KEPT_FOR, "size": size}
        if not mine.update(files_done=F("files_total"), claimed_until=None, **done):
            raise SupersededError
        Archive.objects.filter(customer_id=archive.customer_id).exclude(pk=archive.pk).delete()


def _tell(customer: User) -> None:
    """An e-mail that it is ready, without the archive and without an address that opens it: one logs in for that."""
    if not customer.email:
        return
    try:
        text = render_to_string(
            "accounts/privacy/archive_mail.txt", {"customer": customer, "hours": KEPT_FOR.days * 24}
        )
        ready = gettext("The archive of your data is ready")
        send_mail(f"EVPortal: {ready}", text, None, [customer.email])
    except (smtplib.SMTPException, OSError) as error:
        log.warning("user %s was not told of their archive: %s", customer.pk, type(error).__name__)


class Progress:
    """How many files are written, told now and then; telling it keeps the claim, and notices when it is lost."""

    def __init__(self, archive: Archive, *, total: int) -> None:
        self.archive, self.total, self.done = archive, total, 0
        self._told = 0.0
        self.tell()

    def tell(self) -> None:
        """Keeps the claim, every PROGRESS_EVERY_S seconds at most; SupersededError where another took over."""
        if time.monotonic() - self._told < PROGRESS_EVERY_S:
            return
        self._told = time.monotonic()
        mine = Archive.objects.filter(pk=self.archive.pk, attempt=self.archive.attempt, status=Archive.Status.ASKED)
        figures = {"files_done": self.done, "files_total": self.total}
        if not mine.update(claimed_until=clock.now() + CLAIM, **figures):
            raise SupersededError


class Parts(io.RawIOBase):
    """A file that can only be written to its end; what is written goes to the database by the megabyte."""

    def __init__(self, archive: Archive) -> None:
        self.archive, self.size = archive, 0
        self._buffer, self._number = bytearray(), 0

    def writable(self) -> bool:
        """True, as zipfile asks."""
        return True

    def write(self, data: Any) -> int:
        """Keeps full parts of PART_BYTES in the database; the rest waits."""
        self._buffer += data
        self.size += len(data)
        while len(self._buffer) >= PART_BYTES:
            self._store(PART_BYTES)
        return len(data)

    def end(self) -> None:
        """Keeps the rest."""
        if self._buffer:
            self._store(len(self._buffer))

    def _store(self, count: int) -> None:
        content, self._buffer = bytes(self._buffer[:count]), self._buffer[count:]
        part = {"archive": self.archive, "attempt": self.archive.attempt, "number": self._number}
        ArchivePart.objects.create(**part, content=content)
        self._number += 1


# --- what the sweep does


def archives_due() -> list[int]:
    """Ids of those that nobody makes at the moment; those that failed too often are given up."""
    waiting = Archive.objects.filter(clock.free(CLAIM), status=Archive.Status.ASKED)
    waiting.filter(attempt__gte=ATTEMPTS_MAX).update(status=Archive.Status.FAILED)
    return list(waiting.order_by("pk").values_list("pk", flat=True))


def archives_expire() -> int:
    """Delete what is over; returns how many."""
    over = Archive.objects.filter(Q(expires_at__lt=clock.now()) | Q(customer__is_active=False))
    count = over.count()
    over.delete()
    return count
