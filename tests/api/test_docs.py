"""The lines of docs/api.md work as they stand, and so does its snippet."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ledger.webhooks import delivery
from tests.api.conftest import Caller
from tests.portal.conftest import MakeSession

PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text()


@pytest.mark.django_db(transaction=True)
def test_all_lines_of_the_page_in_their_order(
    live_server: Any, operator_api: Caller, make_session: MakeSession, tmp_path: Path
) -> None:
    lines = [line.strip() for line in PAGE.split("```")[0].splitlines() if line.startswith("    ")]
    assert len(lines) > 12
    session = make_session()
    given = {"PORTAL": live_server.url, "TOKEN": operator_api.token, "SESSION": str(session.pk)}
    argv = ["bash", "-e", "-o", "pipefail", "-c", "\n".join(lines)]
    env = {**os.environ, **given, "no_proxy": "localhost,127.0.0.1"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=env, cwd=tmp_path)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    for answer in ('"name":"olga"', str(session.pk), "304\n", '"name":"Market"', '"code":"invalid_request"', "whsec_"):
        assert answer in done.stdout


def test_the_snippet_verifies_what_we_sign() -> None:
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict[str, Any] = {}
    exec(source, names)  # noqa: S102  our own page
    import time

    secret, now, body = "whsec_" + "QUJD" * 8, int(time.time()), '{"type": "ping"}'
    signed = delivery.signature(secret, message_id="m", timestamp=now, body=body)
    headers = {"webhook-id": "m", "webhook-timestamp": str(now), "webhook-signature": f"v1,other {signed}"}
    assert names["verify"](secret, headers, body.encode())
    assert not names["verify"](secret, headers, body.encode() + b" ")
    old = headers | {"webhook-timestamp": str(now - 301)}
    assert not names["verify"](secret, old, body.encode())
