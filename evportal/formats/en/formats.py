"""English dates as stations/charging/words.py writes them, on the admin's pages, too: "26 Nov 2026, 13:57 UTC"."""

DATE_FORMAT = SHORT_DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "j M Y, H:i e"
