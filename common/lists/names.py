"""Names of countries and currencies in the reader's language, from Debian's iso-codes (package pycountry).

The package has English names and their translations as gettext catalogues; which currencies there are, and how many
digits each has, is said by stations/tariffs/currencies.py.
"""

import gettext
from functools import cache

import pycountry

COUNTRIES, CURRENCIES = "iso3166-1", "iso4217"


@cache
def countries(language: str) -> list[tuple[str, str]]:
    """(ISO 3166-1 alpha-3, name) of each country, by name: ("DEU", "Germany")."""
    return _sorted([(one.alpha_3, one.name) for one in pycountry.countries], COUNTRIES, language)


@cache
def countries_short(language: str) -> list[tuple[str, str]]:
    """The same with ISO 3166-1 alpha-2: ("DE", "Germany")."""
    return _sorted([(one.alpha_2, one.name) for one in pycountry.countries], COUNTRIES, language)


@cache
def currency_name(code: str, language: str) -> str:
    """ "Euro"; "" where the list has none of that code."""
    found = pycountry.currencies.get(alpha_3=code)
    return _catalogue(CURRENCIES, language).gettext(found.name) if found else ""


def _sorted(named: list[tuple[str, str]], domain: str, language: str) -> list[tuple[str, str]]:
    say = _catalogue(domain, language).gettext
    # Å and Ö among A and O, as people look for them
    return sorted(((code, say(name)) for code, name in named), key=lambda one: _plain(one[1]))


def _plain(name: str) -> str:
    return name.casefold().translate(str.maketrans("äåâçéíöøôü", "aaaceiooou"))


@cache
def _catalogue(domain: str, language: str) -> gettext.NullTranslations:
    """English is what the package itself says."""
    return gettext.translation(domain, pycountry.LOCALES_DIR, [language[:2]], fallback=True)
