"""Whose cards messages name: who reads those messages looks at their holders' data."""

import json
import re
from collections.abc import Iterable

from stations.identifiers import contract_read, token_forms
from stations.models import IdToken

# OCPP 1.6: idTag and parentIdTag; 2.0.1: idToken within an object of the same name.
NAMED = re.compile(r'"(?:idTag|parentIdTag|idToken)"\s*:\s*("(?:[^"\\]|\\.){1,300}")', re.IGNORECASE)
SHORT = 6  # a shorter number stands in many texts by chance


def cards_in(texts: Iterable[str]) -> set[str]:
    """The numbers of cards and contracts that these messages name, as they were written."""
    found = set()
    for text in texts:
        for match in NAMED.finditer(text):
            try:
                found.add(json.loads(match[1]))
            except ValueError:  # a text with an escape that there is not
                continue
    return found


def holders(texts: Iterable[str]) -> set[int]:
    """Ids of the customers whose cards these messages name."""
    forms = {form for uid in cards_in(texts) for form in token_forms(uid) if "\0" not in form}
    if not forms:
        return set()
    rows = IdToken.objects.filter(canonical__in=forms, customer__isnull=False)
    return {pk for pk in rows.values_list("customer", flat=True) if pk is not None}


def spellings(uid: str) -> set[str]:
    """What to look for in texts, in any letters, to find this card: as it is written, and as JSON may write it."""
    written = {uid}
    if contract := contract_read(uid):  # its check digit, where there is one, stands behind
        parts = (contract.country, contract.party, contract.instance)
        written |= {contract.canonical, *(between.join(parts) for between in ("", "-", "*"))}
    whole = {json.dumps(one)[1:-1] for one in written} | {json.dumps(one, ensure_ascii=False)[1:-1] for one in written}
    return {one if len(one) >= SHORT else f'"{one}"' for one in whole}
