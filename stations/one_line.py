"""Names that people give to things: they stand on papers and in file names."""

from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

# One line, and nothing in it that cannot be seen or that turns the letters around it.
LINE = RegexValidator(
    r"\A[^\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]*\Z", _("Expected one line.")
)
