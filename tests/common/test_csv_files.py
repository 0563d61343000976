"""CSV as a spreadsheet opens it by a double click: letters, columns and decimals right, and nothing is a formula."""

import csv
import io
import re
from decimal import Decimal

import pytest
from django.utils import translation
from hypothesis import example, given
from hypothesis import strategies as st

from common.csv_files import Marks, as_written, cell, csv_lines, csv_response

NUMBER = re.compile(r"-[0-9]+([.,][0-9]+)?")
texts = st.text(alphabet="=+-@＝＋－＠'\";,\t\r\n a0.ü", max_size=12)


def written(language: str, *rows: tuple[object, ...]) -> bytes:
    with translation.override(language):
        lines = csv_lines(("name", "value"), rows)
    return b"".join(csv_response("x.csv", lines))  # read when another language is active


def opened(content: bytes, separator: str) -> list[list[str]]:
    """As a spreadsheet with that separator takes the file apart."""
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=separator))


@pytest.mark.parametrize(("language", "separator", "value"), [("en", ",", "1234.5"), ("de", ";", "1234,5")])
def test_a_spreadsheet_of_that_language_opens_it(language: str, separator: str, value: str) -> None:
    content = written(language, ("Zürich Straße", Decimal("1234.5")), ("山田", -5), ("a;b,c", None))
    assert content.startswith(b"\xef\xbb\xbfname")
    assert opened(content, separator) == [
        ["name", "value"],
        ["Zürich Straße", value],
        ["山田", "-5"],
        ["a;b,c", ""],
    ]


def test_the_marks_go_together() -> None:
    assert (Marks.of("de"), Marks.of("en"), Marks.of(None)) == (Marks(";", ","), Marks(",", "."), Marks(",", "."))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        *[(start + "1+1", f"'{start}1+1") for start in "=+-@"],
        ("＝1+1", "'＝1+1"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("Hall;=1+1", "Hall;'=1+1"),
        ("Hall,=1+1", "Hall,'=1+1"),
        ("Hall; =1+1", "Hall; '=1+1"),
        ("Hall\n=1+1", "Hall\n'=1+1"),
        ('Hall";@SUM(A1)', "Hall\";'@SUM(A1)"),
        ("-5", "-5"),
        ("-5.25", "-5.25"),
        ("-5,25", "-5,25"),
        ("-5+cmd|' /C calc'!A0", "'-5+cmd|' /C calc'!A0"),
        ("DE*ABC*E1-2", "DE*ABC*E1-2"),
        ("a=b; c - d", "a=b; c - d"),
        ("'=1", "''=1"),  # so that it can be taken back
    ],
)
def test_what_would_be_a_formula_is_none(text: str, kept: str) -> None:
    assert cell(text) == kept and as_written(kept) == text


@given(st.lists(texts, min_size=1, max_size=3), st.sampled_from(["en", "de"]), st.sampled_from(",;\t"))
@example(['a";=1'], "en", ";")
@example(["", ';"='], "en", ";")
@example(['"\n=1'], "de", ",")
def test_no_cell_begins_a_formula_wherever_the_row_is_cut(values: list[str], language: str, separator: str) -> None:
    content = written(language, tuple(values))
    own = opened(content, Marks.of(language).separator)[1]
    assert [as_written(found) for found in own] == values
    for row in opened(content, separator):
        for found in row:
            begins_formula = re.match(r"\s*[=+\-@＝＋－＠]", found)
            assert not begins_formula or NUMBER.match(found.strip()), found


def test_a_text_comes_back_as_it_was() -> None:
    for text in ("'", "''=", "=", "'\t'=", "\t\t=1", "a;'=1", "x;'';-", "-1;=2"):
        assert as_written(str(cell(text))) == text
