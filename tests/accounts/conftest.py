"""The readers of the pages' tests, here too."""

from tests.pages.conftest import browser, no_chain, other_browser, staff_browser

__all__ = ["browser", "no_chain", "other_browser", "staff_browser"]
