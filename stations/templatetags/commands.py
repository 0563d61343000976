"""Commands in templates."""

from django import template

from stations.commands.words import kind_words
from stations.models import Command

register = template.Library()


@register.filter("kind_words")
def words_of(command: Command) -> str:
    """What the command is called."""
    return kind_words(command)
