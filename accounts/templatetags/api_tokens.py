"""The reader's own API tokens, for the section of the page "Security"."""

from typing import Any

from django import template

from accounts.models.programs import ApiToken
from accounts.programs.tokens import living

register = template.Library()


@register.simple_tag(takes_context=True)
def living_tokens(context: Any) -> list[ApiToken]:
    """Those that can be used now, the newest first."""
    return list(living(context["user"]))
