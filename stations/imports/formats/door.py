"""The formats that are known, and which of them a file is: told by its columns, never by its name."""

from collections.abc import Sequence

from django.utils.translation import gettext

from stations.errors import ImportFileError
from stations.imports.formats import acn, boulder, chargepoint, dundee, evcc, ocpi, own, perth, steve, workplace
from stations.imports.formats.base import Format

FORMATS: tuple[Format, ...] = (
    own.FORMAT,
    workplace.FORMAT,
    steve.FORMAT,
    evcc.FORMAT,
    chargepoint.FORMAT,
    boulder.FORMAT,
    dundee.FORMAT,
    perth.FORMAT,
    ocpi.FORMAT,
    acn.FORMAT,
)
NAMES = frozenset(one.name for one in FORMATS)
COLUMNS_SHOWN = 40
NEAR = 3  # columns that may be missing for a format to be named as meant


def known(columns: Sequence[str]) -> bool:
    """Whether these are the columns of a format that is known."""
    return any(not one.missing(columns) for one in FORMATS)


def format_of(columns: Sequence[str], kind: str) -> Format:
    """The format with these columns; raises ImportFileError that says what came, and what would be read.

    `kind` is what the file is, in words.
    """
    for one in FORMATS:
        if not one.missing(columns):
            return one
    raise ImportFileError(f"{came(columns, kind)}. {_meant(columns)}")


def came(columns: Sequence[str], kind: str) -> str:
    """What the file is, in words, with its columns."""
    names = ", ".join(column[:60] for column in columns[:COLUMNS_SHOWN]) or "–"
    more = (
        gettext(" and %(count)s more") % {"count": len(columns) - COLUMNS_SHOWN} if len(columns) > COLUMNS_SHOWN else ""
    )
    return gettext(
        "no format is known with these columns. The file is %(kind)s, with %(count)s columns: %(names)s%(more)s"
    ) % {
        "kind": kind,
        "count": len(columns),
        "names": "".join(letter if letter.isprintable() else "?" for letter in names),
        "more": more,
    }


def _meant(columns: Sequence[str]) -> str:
    lacking = sorted(((one.missing(columns), one.title) for one in FORMATS), key=lambda found: len(found[0]))
    missing, title = lacking[0]
    if len(missing) <= NEAR:
        words = gettext("For %(format)s it lacks %(columns)s. Export the file again with all columns")
        said = words % {"format": title, "columns": ", ".join(missing)}
    else:
        said = gettext("Known are: %(formats)s") % {"formats": ", ".join(one.title for one in FORMATS)}
    return f"{said}. " + gettext(
        "For any other table make a mapping of its columns (admin, Imports, Mappings), and choose it"
    )
