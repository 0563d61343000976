"""PURE: base58, the text form of Antelope's keys and signatures. Portal and TPM service have it from here."""

CHARS = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
LENGTH_MAX = 4000  # the work grows with the square of the length


class Base58Error(ValueError):
    """What is no base58, or too long to be read."""


def encode(data: bytes) -> str:
    """Return the text of these bytes; each leading zero byte is a "1"."""
    number, text = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = CHARS[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def decode(text: str) -> bytes:
    """Return the bytes of base58 text, at most LENGTH_MAX characters; raises Base58Error."""
    if len(text) > LENGTH_MAX:
        raise Base58Error(f"base58: expected at most {LENGTH_MAX} characters, got {len(text)}")
    number = 0
    for char in text:
        digit = CHARS.find(char)
        if digit < 0:
            raise Base58Error(f"base58: {char!r} is not one of its characters")
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
