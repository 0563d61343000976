"""Each class that a page's template names is styled, or is a name that somebody else looks for."""

import re
from pathlib import Path

import django

ROOT = Path(__file__).parents[2]
TEMPLATES, STATIC = ROOT / "templates", ROOT / "static"
DJANGO = Path(django.__file__).parent / "contrib" / "admin" / "static"
TAG = re.compile(r"\{[%{].*?[%}]\}")
QUOTED = re.compile(r'class="((?:\{[%{].*?[%}]\}|[^"])*)"')
# Where a part is, for scripts and tests.
NAMES_ALONE = {"bill", "ev-frame", "ev-record", "sums-of-files"}


def styled() -> set[str]:
    sheets = [*STATIC.rglob("*.css"), *TEMPLATES.rglob("*.css"), *DJANGO.rglob("*.css")]
    return {name for sheet in sheets for name in re.findall(r"\.(-?[A-Za-z_][\w-]*)", sheet.read_text())}


def test_no_class_is_without_a_style() -> None:
    named = {
        name
        for page in TEMPLATES.rglob("*.html")
        for classes in QUOTED.findall(page.read_text())
        for name in TAG.sub("\0", classes).split()
        if "\0" not in name
    }
    assert "terms" in named
    assert named - styled() == NAMES_ALONE
