"""What composing a command can end in."""


class Unsupported(Exception):
    """This version, or this station, has no such command; the words say what it lacks."""
