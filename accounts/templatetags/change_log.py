"""Template filter for the admin's history of one object."""

from django import template

from common.change_log import change_lines

register = template.Library()
register.filter("change_lines", change_lines)
