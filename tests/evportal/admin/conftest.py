"""The fixtures of the driver's pages: the admin shows the same sessions."""

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
