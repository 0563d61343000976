"""Who is on the other side of a request: address and browser, as far as can be known."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest

BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
BROWSER_MAX = 200


def client_address(request: HttpRequest) -> str | None:
    """The caller's IP address: the connection's, or what the trusted proxies (TRUSTED_PROXIES of them) say of it.

    Each proxy appends whom it heard to X-Forwarded-For; what stands further left, the caller may have made up.
    """
    heard = [request.META.get("REMOTE_ADDR", "")]
    heard = [*request.META.get("HTTP_X_FORWARDED_FOR", "").split(","), *heard]
    position = max(-len(heard), -1 - settings.TRUSTED_PROXIES)
    try:
        return str(ipaddress.ip_address(heard[position].strip()))
    except ValueError:
        return None


def browser_name(request: HttpRequest) -> str:
    """Browser and system in words ("Firefox on Linux"); what is neither, as it calls itself."""
    agent = request.META.get("HTTP_USER_AGENT", "")
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    if not browser:
        return "".join(letter for letter in agent if letter.isprintable())[:BROWSER_MAX]
    return f"{browser} on {system}" if system else browser
