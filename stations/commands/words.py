"""Commands in the reader's words."""

from stations.commands.kinds import KINDS
from stations.models import Command


def kind_words(command: Command) -> str:
    """What it is called; of a kind that there is no more, its name."""
    kind = KINDS.get(command.kind)
    return str(kind.words) if kind else command.kind


def who_words(command: Command) -> str:
    """Who asked: a person, a program, or the portal itself."""
    return str(command.user or command.client or command.get_by_display())
