"""What the admin says of imports."""

from django.utils.translation import gettext_lazy as _

DATE_FORMS = [
    ("", _("as the file shows")),
    ("YMD", _("year first, 2026-03-13")),
    ("DMY", _("day first, 13/03/2026")),
    ("MDY", _("month first, 03/13/2026")),
]
