"""The six digits that an authenticator app shows for a key: `python -m dev.totp KEY` (RFC 6238, SHA-1, 30 s)."""

import base64
import sys
import time

from django_otp import oath

STEP_S = 30


def code(key: str, moment: float | None = None) -> str:
    """The code of a base32 key, with or without spaces, now or at a Unix time."""
    plain = "".join(key.split()).upper()
    shown = oath.TOTP(base64.b32decode(plain + "=" * (-len(plain) % 8)), step=STEP_S)
    shown.time = time.time() if moment is None else moment
    return f"{shown.token():06}"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m dev.totp KEY", file=sys.stderr)
        return 2
    print(f"{code(arguments[0])}   for {STEP_S - int(time.time()) % STEP_S} s more")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
