"""The six digits that an authenticator app shows for a key: `python -m dev.totp KEY` (RFC 6238, SHA-1, 30 s)."""

import base64
import hashlib
import hmac
import sys
import time

STEP_S = 30
DIGITS = 6


def code(key: str, moment: float | None = None) -> str:
    """The code of a base32 key, with or without spaces, now or at a Unix time."""
    plain = "".join(key.split()).upper()
    secret = base64.b32decode(plain + "=" * (-len(plain) % 8))
    counter = int((time.time() if moment is None else moment) // STEP_S)
    digest = hmac.digest(secret, counter.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m dev.totp KEY", file=sys.stderr)
        return 2
    print(f"{code(arguments[0])}   for {STEP_S - int(time.time()) % STEP_S} s more")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
