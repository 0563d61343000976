"""What people see of the development provider: its login page, and the page for what cannot go on."""

import base64
import hashlib

from flask import Response, render_template_string

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; background: light-dark(#f1ecf8, #1a1522);
  color: light-dark(#231a33, #ece6f5); }
.mark { background: #5b2d90; color: #fff; padding: .625rem 1rem; text-align: center; font-size: .9375rem; }
main { max-width: 22rem; margin: 8vh auto 0; padding: 1.5rem; border-radius: .5rem;
  background: light-dark(#fff, #261f31); }
h1 { font-size: 1.375rem; margin: 0 0 1rem; }
label { display: block; font-size: .875rem; margin: 1rem 0 .25rem; }
input { box-sizing: border-box; width: 100%; font: inherit; padding: .5rem .625rem; border-radius: .25rem;
  border: 1px solid light-dark(#7b7089, #8d8399); }
button { width: 100%; margin-top: 1.5rem; padding: .625rem; font: inherit; font-weight: 600; color: #fff;
  background: #5b2d90; border: 0; border-radius: .25rem; cursor: pointer; }
:focus-visible { outline: 3px solid #9a6bd0; outline-offset: 2px; }
.wrong { color: light-dark(#a3211a, #ff9c94); }
.quiet { font-size: .875rem; color: light-dark(#5d5269, #b7adc4); }
"""
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; img-src data:; style-src 'sha256-{STYLE_HASH}'; frame-ancestors 'none'; base-uri 'none'"

PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
  <title>{{ title }} · development identity provider</title>
  <link rel="icon" href="data:,">
  <style>{{ style|safe }}</style>
</head>
<body>
<div class="mark">Development identity provider: stands where Amazon Cognito stands in production</div>
<main>
<h1>{{ title }}</h1>
{% if form %}
  {% if wrong %}<p class="wrong" role="alert">Name and password do not fit together.</p>{% endif %}
  <form method="post">
    <input type="hidden" name="form_token" value="{{ form_token }}">
    <label for="username">Name</label>
    <input id="username" name="username" value="{{ username }}" autocomplete="username" autocapitalize="none"
      required autofocus>
    <label for="password">Password</label>
    <input id="password" name="password" type="password" autocomplete="current-password" required>
    <button>Sign in</button>
  </form>
  <p class="quiet">to go on to {{ client }}. <code>make demo</code> prints the names and passwords.</p>
{% else %}
  <p>{{ message }}</p>
{% endif %}
</main>
</body>
</html>
"""


def login_page(*, client: str, form_token: str, username: str = "", wrong: bool = False) -> Response:
    return _page("Sign in", 200, form=True, client=client, form_token=form_token, username=username, wrong=wrong)


def error_page(message: str) -> Response:
    return _page("This cannot go on", 400, form=False, message=message)


def _page(title: str, status: int, **context: object) -> Response:
    text = render_template_string(PAGE, title=title, style=STYLE, **context)
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return Response(text, status=status, headers=headers)
