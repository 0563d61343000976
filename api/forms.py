"""The forms of identifiers, times and numbers that every door takes, and their limits."""

import re

# OCPP 2.0.1 identifierString, beginning with a letter or digit so that it fits a path.
IDENTIFIER = r"[A-Za-z0-9][A-Za-z0-9*_=:+|@.\-]{0,35}"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
# 13 digits in all: SQLite keeps decimals as floats, exact to 15.
DECIMAL = re.compile(r"-?\d{1,9}(\.\d{1,4})?", re.ASCII)
METER_MAX_WH = 10**12
NUMBER_MAX = 2**31 - 1
