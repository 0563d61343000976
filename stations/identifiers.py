"""PURE: the one canonical form of identifiers that standards compare without regard to letters or separators.

They are kept as they came, and compared, found and kept apart by this form (columns `canonical`, `number`).

token, station, transaction   OCPP 1.6 CiString, OCPP 2.0.1 identifierString: in any letters
contract                      ISO 15118-2 annex H and eMI3: country, provider, instance of nine, perhaps a check
                              digit; DIN SPEC 91286: instance of six. Separators - or * may be left out
EVSE ID                       ISO 15118-2 annex H and eMI3: the same of country, operator and outlet; DIN: digits
"""

import re
from dataclasses import dataclass
from itertools import accumulate, repeat

CONTRACT_TYPE = "eMAID"  # OCPP IdTokenEnumType
_LETTERS = {ord(small): ord(small.upper()) for small in "abcdefghijklmnopqrstuvwxyz"}
_COUNTRY_PARTY = r"([A-Z]{2})[-*]?([A-Z0-9]{3})[-*]?"
_CONTRACT = re.compile(_COUNTRY_PARTY + r"([A-Z0-9]{9}|[A-Z0-9]{6})(?:[-*]?([A-Z0-9]))?")
EVSE_ID = (
    r"(?:[A-Za-z]{2}\*?[A-Za-z0-9]{3}\*?[Ee][A-Za-z0-9][A-Za-z0-9*]{0,30}|\+?[0-9]{1,3}\*[0-9]{3,6}\*[0-9*]{1,32})"
)
_EVSE_PARTS = re.compile(r"([A-Z]{2})\*?([A-Z0-9]{3})\*?(E[A-Z0-9][A-Z0-9*]{0,30})")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def letters(text: str) -> str:
    """As OCPP compares: "04a2b3" -> "04A2B3". Only ASCII letters have a second form; no alphabet is guessed at."""
    return text.translate(_LETTERS)


@dataclass(frozen=True)
class Contract:
    """A contract's number in parts, in capitals; `check` is "" where none was written."""

    country: str
    party: str
    instance: str
    check: str = ""

    @property
    def check_expected(self) -> str:
        """The check digit that follows from the other parts."""
        number = self.country + self.party + self.instance
        return check_digit(number) if len(self.instance) == 9 else check_digit_din(number)

    @property
    def is_right(self) -> bool:
        """Whether its check digit, if it has one, is right."""
        return self.check in {"", self.check_expected}

    @property
    def canonical(self) -> str:
        """Country, provider and eMI3's nine: a contract of DIN is "C0", its six and its check digit there.

        With a wrong check digit it is no other contract's number but its own, in any letters and separators.
        """
        if not self.is_right:
            return self.country + self.party + self.instance + self.check
        long = self.instance if len(self.instance) == 9 else f"C0{self.instance}{self.check_expected}"
        return self.country + self.party + long


def contract_read(text: str) -> Contract | None:
    """The parts of a contract's number in any of the forms; None where it has none of them."""
    found = _CONTRACT.fullmatch(letters(text.strip()))
    return Contract(*(part or "" for part in found.groups())) if found else None


def contract_canonical(text: str) -> str:
    """ "de*8ac*c12e46l89" -> "DE8ACC12E46L89"; what is no contract's number only in capitals."""
    contract = contract_read(text)
    return contract.canonical if contract else letters(text)


def token_canonical(uid: str, kind: str) -> str:
    """The form of a token of this OCPP type: a contract's for contracts, else in capitals."""
    return contract_canonical(uid) if kind == CONTRACT_TYPE else letters(uid)


def token_forms(uid: str) -> set[str]:
    """What tokens of any type that somebody writes so may have as their canonical form."""
    return {letters(uid), contract_canonical(uid)}


def station_forms(identity: str) -> set[str]:
    """The same of a station: one form."""
    return {letters(identity)}


def evse_id_canonical(text: str) -> str:
    """ "deabce1234*1" -> "DE*ABC*E1234*1": in capitals, with the separators that may be left out."""
    found = _EVSE_PARTS.fullmatch(letters(text.strip()))
    return "*".join(found.groups()) if found else letters(text.strip())


def same_letters(one: str, other: str) -> bool:
    """Whether these are one identifier of OCPP or of a contract, written in two ways."""
    return letters(one) == letters(other) or contract_canonical(one) == contract_canonical(other)


# --- Check digits


def check_digit(number: str) -> str:
    """Of the 14 signs of ISO 15118 and eMI3 ("Check Digit Calculation for Contract-IDs"): a matrix code.

    Each sign is two digits modulo 2 and two modulo 3; those at place i are multiplied by the i-th power of a matrix,
    and the check digit makes both sums zero at place 15.
    """
    values = [_DIGITS.index(sign) for sign in number]
    twos = [(value // 9 >> 1, value // 9 & 1) for value in values]
    threes = [(value % 9 // 3, value % 3) for value in values]
    high, low = _sum(twos, ((0, 1), (1, 1)), 2)  # its 15th power is one
    third = _sum(threes, ((0, 1), (1, 2)), 3)
    # its 15th power's inverse is itself; with the sign that makes the sum zero
    first, second = _times(third, ((0, 2), (2, 1)), 3)
    return _DIGITS[(high * 2 + low) * 9 + first * 3 + second]


Pair = tuple[int, int]
Matrix = tuple[Pair, Pair]


def _times(pair: Pair, by: Matrix, modulus: int) -> Pair:
    left, right = ((pair[0] * by[0][column] + pair[1] * by[1][column]) % modulus for column in (0, 1))
    return left, right


def _sum(pairs: list[Pair], matrix: Matrix, modulus: int) -> Pair:
    """Each pair times the matrix to the power of its place, added up."""
    powers = accumulate(repeat(matrix, len(pairs)), lambda made, by: _product(made, by, modulus))
    products = [_times(pair, power, modulus) for pair, power in zip(pairs, powers, strict=True)]
    return sum(left for left, _ in products) % modulus, sum(right for _, right in products) % modulus


def _product(one: Matrix, other: Matrix, modulus: int) -> Matrix:
    return _times(one[0], other, modulus), _times(one[1], other, modulus)


def check_digit_din(number: str) -> str:
    """Of the eleven signs of DIN SPEC 91286: letters are 10 to 35, their digits weighed by powers of two, modulo 11."""
    digits = "".join(str(_DIGITS.index(sign)) for sign in number)
    total = sum(int(digit) << place for place, digit in enumerate(digits))
    return "0123456789X"[total % 11]
