"""A person without a browser who logs in to the portal: at the provider, then with the second factor."""

import html
import re
import time

import httpx2

from dev import totp
from dev.common.steps import StackError

TIMEOUT_S = 30


class Visitor:
    """One person with cookies of their own for the portal and the provider.

    `get` and `submit` return the page where the redirects end; StackError says what was expected and what came.
    """

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url, self.username, self.password = url, username, password
        self.key = ""  # of the authenticator, once it is set up
        self._last_step = 0
        self.client = httpx2.Client(base_url=url, timeout=TIMEOUT_S, follow_redirects=True)

    def log_in(self) -> httpx2.Response:
        """Name and password at the provider, and the second factor: set up at the first login, shown afterwards."""
        page = self.give_password()
        if page.url.path == "/second-factor/set-up":
            self.key = _found(r"data-value[^>]*>([A-Z2-7 ]+)<", page)
            page = self.submit(page, code=self.code())
            return self.get("/" if 'id="codes"' in page.text else "/second-factor")
        if page.url.path == "/second-factor":
            page = self.submit(page, code=self.code())
        return page

    def give_password(self) -> httpx2.Response:
        page = self.get("/login/start")
        if page.url.path == "/login" and "form_token" in page.text:
            page = self.submit(page, username=self.username, password=self.password)
        return page

    def code(self) -> str:
        """The code of now; after one was used, the portal takes none of the same half minute again: the next one."""
        step = max(int(time.time() // totp.STEP_S), self._last_step + 1)
        self._last_step = step
        return totp.code(self.key, step * totp.STEP_S)

    def get(self, path: str) -> httpx2.Response:
        return self._page(self.client.get(path))

    def submit(self, page: httpx2.Response, *, button: str = "", **fields: str) -> httpx2.Response:
        """Send the page's first form that has these fields and this button, its hidden fields included."""
        forms = re.findall(r"<form\b.*?</form>", page.text, re.DOTALL)
        form = next(form for form in forms if button in form and all(f'name="{name}"' in form for name in fields))
        action = re.match(r'<form[^>]* action="([^"]*)"', form)
        target = page.url.join(html.unescape(action[1])) if action else page.url
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
        data = {name: html.unescape(value) for name, value in hidden} | fields
        return self._page(self.client.post(target, data=data, headers={"Referer": str(page.url)}))

    def _page(self, response: httpx2.Response) -> httpx2.Response:
        if response.is_error:
            raise StackError(f"{response.url}: expected a page, got {response.status_code}")
        return response


def _found(pattern: str, page: httpx2.Response) -> str:
    found = re.search(pattern, page.text)
    if found is None:
        raise StackError(f"{page.url}: expected {pattern}")
    return found[1]
