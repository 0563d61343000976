"""What goes wrong, by what has to be done about it.

WitnessError
├── FormError      what was read is not in its form
├── SetupError     configuration, key or state: a person has to look
├── NotYet         cannot be said now, ask again later
└── Contradiction  what the log signed cannot be true beside what else is known
"""


class WitnessError(Exception):
    """Whatever this program raises on purpose; the message is for people."""


class FormError(WitnessError):
    """Not in its form; the message says what was expected."""


class SetupError(WitnessError):
    """The witness must not run like this."""


class NotYet(WitnessError):
    """Somebody does not answer, or is not that far yet; the same question may be answered later."""


class Contradiction(WitnessError):
    """The log contradicts itself, its entries, or the chain."""


def shown(text: str, most: int = 200) -> str:
    """Return a stranger's text so that a log file can hold it: one line, printable, not too long."""
    safe = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text[: most + 1])
    return safe if len(safe) <= most else f"{safe[: most - 1]}…"
