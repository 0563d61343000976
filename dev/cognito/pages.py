"""What people see of the development provider: its login page, and the page for what cannot go on."""

import base64
import hashlib
from pathlib import Path

from flask import Response, render_template

STYLE = (Path(__file__).parent / "templates" / "page.css").read_text()
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; img-src data:; style-src 'sha256-{STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"


def login_page(*, client: str, form_token: str, username: str = "", wrong: bool = False) -> Response:
    return _page("Sign in", 200, form=True, client=client, form_token=form_token, username=username, wrong=wrong)


def error_page(message: str) -> Response:
    return _page("This cannot go on", 400, form=False, message=message)


def _page(title: str, status: int, **context: object) -> Response:
    text = render_template("page.html", title=title, style=STYLE, **context)
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Response(text, status=status, headers=headers)
