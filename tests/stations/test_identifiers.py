"""One canonical form of what standards compare without regard to letters and separators.

Check digits: examples of "Check Digit Calculation for Contract-IDs" (eMI3), as public libraries test them too, and of
DIN SPEC 91286 as the provider whose numbers they are calculates them.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.identifiers import (
    check_digit,
    check_digit_din,
    contract_canonical,
    contract_read,
    evse_id_canonical,
    letters,
    same_letters,
    token_canonical,
    token_forms,
)

CAPITALS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize(
    ("number", "digit"),
    [
        ("NN123ABCDEFGHI", "T"),
        ("FRXYZ123456789", "2"),
        ("ITA1B2C3E4F5G6", "4"),
        ("ESZU8WOX834H1D", "R"),
        ("PT73902837ABCZ", "Z"),
        ("DE83DUIEN83QGZ", "D"),
        ("DE83DUIEN83ZGQ", "M"),
        ("DE8AA001234567", "0"),
        ("NLTNMC00122045", "K"),
    ],
)
def test_the_check_digit_of_iso_15118_and_emi3(number: str, digit: str) -> None:
    assert check_digit(number) == digit


@pytest.mark.parametrize(
    ("number", "digit"),
    [("INTNM000071", "9"), ("INTNM000110", "X"), ("INTNM000124", "0"), ("INTNM000114", "6"), ("INTNM000191", "5")],
)
def test_the_check_digit_of_din_spec_91286(number: str, digit: str) -> None:
    assert check_digit_din(number) == digit


@given(st.text(CAPITALS, min_size=14, max_size=14), st.integers(0, 13), st.sampled_from(CAPITALS))
def test_one_wrong_sign_is_always_noticed(number: str, place: int, sign: str) -> None:
    other = number[:place] + sign + number[place + 1 :]
    assert (check_digit(other) == check_digit(number)) == (other == number)


@pytest.mark.parametrize(
    "written",
    [
        "NL-TNM-C00122045-K",
        "nl-tnm-c00122045-k",
        "NLTNMC00122045K",
        "NLTNMC00122045",
        "NL*TNM*C00122045*K",
        "NL-TNM-C00122045",
        "NL-TNMC00122045K",
        "NL-TNM-012204-5",
        "NL*TNM*012204*5",
        "nl*tnm*012204",
        "NLTNM0122045",
        " NL-TNM-C00122045-K ",
    ],
)
def test_a_contract_in_all_its_forms(written: str) -> None:
    assert contract_canonical(written) == "NLTNMC00122045"
    assert token_canonical(written, "eMAID") == "NLTNMC00122045"


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("NL-TNM-C00122045-X", "NLTNMC00122045X"),  # a wrong check digit is no other contract's number
        ("nl*tnm*c00122045*x", "NLTNMC00122045X"),
        ("NL-TNM-012204-4", "NLTNM0122044"),
        ("DE-8AC-C12E46L89-1", "DE8ACC12E46L89"),
        ("employee 7", "EMPLOYEE 7"),
        ("NL-TNM-", "NL-TNM-"),
        ("", ""),
        ("ÄÖ-straße", "ÄÖ-STRAßE"),
    ],
)
def test_what_is_no_right_contract_stays_its_own(written: str, canonical: str) -> None:
    assert contract_canonical(written) == canonical


def test_whether_a_check_digit_is_right() -> None:
    right, wrong, none = (contract_read(f"NL-TNM-C00122045{end}") for end in ("-K", "-X", ""))
    assert right and wrong and none
    assert (right.is_right, wrong.is_right, none.is_right) == (True, False, True)
    assert (wrong.check_expected, none.check_expected) == ("K", "K")


def test_cards_are_compared_in_any_letters_and_keep_their_separators() -> None:
    assert token_canonical("04ffee11223344", "ISO14443") == token_canonical("04FFEE11223344", "ISO14443")
    assert token_canonical("04-FF", "ISO14443") != token_canonical("04FF", "ISO14443")
    assert token_forms("nl-tnm-012204-5") == {"NL-TNM-012204-5", "NLTNMC00122045"}


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("DE*ABC*E1234*1", "DE*ABC*E1234*1"),
        ("deabce1234*1", "DE*ABC*E1234*1"),
        ("FR*A45*E45B*78C", "FR*A45*E45B*78C"),
        ("+49*123*456*1", "+49*123*456*1"),
    ],
)
def test_evse_ids(written: str, canonical: str) -> None:
    assert evse_id_canonical(written) == canonical


@given(st.text(max_size=40))
def test_a_form_of_a_form_is_itself(text: str) -> None:
    for form in (letters, contract_canonical, evse_id_canonical):
        assert form(form(text)) == form(text)
    assert same_letters(text, letters(text)) and len(letters(text)) == len(text)
