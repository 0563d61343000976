"""Names on papers in the scripts that people write them in; where no font has a letter, its number and a word on it."""

import io
import re

import pytest
from django.utils import translation
from pypdf import PdfReader

from common.pdf import pdf

NAMES = {
    "Chinese": "张伟 陳美玲 𠮷野家",
    "Japanese": "山田太郎 ワタナベ さくら 東京駅",
    "Korean": "김민준 부산시",
    "Arabic": "محمد الحسن مراكش",
    "Persian": "گلناز پژمان",
    "Hebrew": "שרה כהן",
    "Devanagari": "अमित शर्मा क्षत्रिय",
    "Bengali": "রহিম উদ্দিন",
    "Tamil": "கார்த்திக்",
    "Telugu": "శ్రీనివాస్",
    "Thai": "สมชาย ใจดี",
    "Cyrillic": "Ђорђе Їжак Анна Ёлкина",
    "Greek": "Ωμέγα Παπαδοπούλου",
    "Georgian": "გიორგი",
    "Armenian": "Արամ",
    "Amharic": "አበበ",
    "Khmer": "សុខា",
    "Latin": "Łódź Đặng Nguyễn Şükrü Ōta Žižek",
}
PAGE = '<html lang="en"><head><title>t</title></head><body><p>{}</p></body></html>'
CSS = 'html { font: 8pt "DejaVu Sans"; }'


def boxes(content: bytes) -> int:
    """How many glyphs are number 0, ".notdef", of any font."""
    found = 0
    for page in PdfReader(io.BytesIO(content)).pages:
        for text in re.findall(rb"<([0-9A-Fa-f]+)>", page.get_contents().get_data()):  # type: ignore[union-attr]
            found += [text[at : at + 4] for at in range(0, len(text), 4)].count(b"0000")
    return found


def words(content: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages).split())


@pytest.mark.parametrize("script", NAMES)
def test_a_name_in_its_script_has_a_glyph_for_each_letter(script: str) -> None:
    made = pdf(PAGE.format(NAMES[script]), CSS, identifier="1")
    assert boxes(made) == 0
    assert "U+" not in words(made) and "missing" not in words(made)


@pytest.mark.parametrize(
    ("language", "said"), [("en", "Some letters are missing in the fonts"), ("de", "Den Schriften, mit denen")]
)
def test_a_letter_that_no_font_has_is_its_number_and_the_paper_says_so(language: str, said: str) -> None:
    html = PAGE.format("Anna \U000f0001\U000f0002 <b>x</b>")
    with translation.override(language):
        made = pdf(html, CSS, identifier="1")
        again = pdf(html, CSS, identifier="1")
    assert boxes(made) == 0
    assert "Anna [U+F0001][U+F0002] x" in words(made) and said in words(made)
    assert made == again
