"""People at a screen of some width, scheme and language, who notice what the console says and what axe-core finds."""

import base64
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from accounts.models import User
from tests.browsers import evaluated, settled
from tests.people import browser_log_in

SIZES = {"wide": (1280, 900), "narrow": (390, 844)}
SCHEMES = ("light", "dark")
LOCALES = {"en": "en-GB", "de": "de-DE"}
SHOTS = Path("/tmp/walk-shots")  # where it exists, each page that is looked at is kept there as a picture
PATIENCE_MS = 60_000  # a machine that runs several tests at once may be slow; nobody waits who need not
expect.set_options(timeout=PATIENCE_MS)
# preload: it would put styles into the page, which its policy forbids, and the console would speak of it.
AXE = {"resultTypes": ["violations"], "preload": False}


class Reader:
    """A person at a screen, who also notices what the console says and whether the page is too wide."""

    def __init__(self, context: BrowserContext, base: str, width: int, scheme: str, language: str) -> None:
        self.context, self.base, self.width = context, base, width
        self.scheme, self.language = scheme, language
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda said: self._hear(said.type, said.text))
        self.page.on("pageerror", lambda error: self._hear("error", str(error)))

    def _hear(self, kind: str, words: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(words)

    def login(self, user: User) -> None:
        browser_log_in(self.page, self.base, user)

    def go(self, path: str) -> None:
        self.page.goto(f"{self.base}{path}")

    def says(self, words: str, **names: object) -> str:
        """What stands on this reader's pages for our English words."""
        with translation.override(self.language):
            return gettext(words) % names

    def press(self, words: str, **names: object) -> None:
        """The button, or the link, with these words."""
        name = self.says(words, **names)
        button, link = (self.page.get_by_role(role, name=name, exact=True) for role in ("button", "link"))
        menu = self.page.locator("details.menu:not([open]) > summary")
        if settled(self.page, lambda: not button.or_(link).count() and menu.is_visible()):  # on a telephone
            menu.click()
        button.or_(link).first.click()

    def sees(self, heading: str, **names: object) -> None:
        expect(self.page.get_by_role("heading", name=self.says(heading, **names), exact=True)).to_be_visible()

    def downloads(self, link: Locator) -> bytes:
        """Press it; the file."""
        with self.page.expect_download() as download:
            link.click()
        return Path(download.value.path()).read_bytes()

    def turn(self, size: str, scheme: str) -> None:
        """The same page on another screen, as it is, without loading it again."""
        width, height = SIZES[size]
        self.width, self.scheme = width, scheme
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        # What fades to its new colour is judged in it.
        evaluated(self.page, "document.getAnimations().forEach((one) => one.finish())")

    def speak(self, language: str) -> None:
        """What is opened from now on is in this language, as if they had chosen it."""
        self.language = language
        self.context.add_cookies([{"name": settings.LANGUAGE_COOKIE_NAME, "value": language, "url": self.base}])

    def look(self) -> None:
        """Nothing in the console, nothing sideways."""
        assert self.stumbles() == [], self.stumbles()

    def fine(self, name: str = "") -> None:
        """That, and nothing that a screen reader or a keyboard would stumble over; `name` is its picture's."""
        self.look()
        found = self.findings()
        assert found == [], found
        self.shoot(name)

    def stumbles(self) -> list[str]:
        """What the console said until now, and a page that is too wide; of the page that is coming, if one is."""
        width = evaluated(self.page, "document.documentElement.scrollWidth")
        where = f"{self.page.url}, {self.width}, {self.scheme}"
        return [f"{where}: {words}" for words in self.complaints] + [f"{where}: {width} wide"] * (width > self.width)

    def findings(self, *, but: str = "") -> list[str]:
        """Rule and elements of what axe-core calls serious or critical; `but` selects what is left out."""
        context = {"exclude": [[but]]} if but else None
        found = settled(self.page, lambda: Axe().run(self.page, context=context, options=AXE)).response["violations"]
        serious = [one for one in found if one["impact"] in ("serious", "critical")]
        where = f"{self.page.url}, {self.width}, {self.scheme}"
        return [f"{where}: {one['id']}: {[node['html'] for node in one['nodes']]}" for one in serious]

    def shoot(self, name: str) -> None:
        """Keep a picture for somebody to look at. Playwright would put a style in, of which the console speaks."""
        if name and SHOTS.is_dir():
            browser = self.context.new_cdp_session(self.page)
            size = browser.send("Page.getLayoutMetrics")["cssContentSize"]
            shot = browser.send("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": {**size, "scale": 1}})
            file = SHOTS / f"{name}-{self.width}-{self.scheme}-{self.language}.png"
            file.write_bytes(base64.b64decode(shot["data"]))


def reader_at(
    chromium: Browser, base: str, size: str, scheme: str = "light", language: str = "en", **options: bool
) -> Reader:
    width, height = SIZES[size]
    viewport = {"width": width, "height": height}
    context = chromium.new_context(
        viewport=viewport,  # type: ignore[arg-type]
        color_scheme=scheme,  # type: ignore[arg-type]
        locale=LOCALES[language],
        reduced_motion="reduce",  # what fades in would have another contrast each time
        **options,  # type: ignore[arg-type]
    )
    context.set_default_timeout(PATIENCE_MS)
    return Reader(context, base, width, scheme, language)
