"""The fixtures of the driver's pages: the admin shows the same sessions."""

import evportal.urls  # noqa: F401  what the admin shows is registered there
from tests.portal.conftest import (
    browser,
    everything,
    make_session,
    make_transaction,
    no_chain,
    opened_ago,
    other_browser,
    staff_browser,
)

__all__ = [
    "browser",
    "everything",
    "make_session",
    "make_transaction",
    "no_chain",
    "opened_ago",
    "other_browser",
    "staff_browser",
]
