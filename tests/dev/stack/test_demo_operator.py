"""Who runs the demo, from its settings to page and paper."""

import subprocess
import sys
from pathlib import Path

from dev.parts.tpm_service import ROOT
from dev.stack.chain import DEMO_OPERATOR
from dev.stack.layout import read_settings, write_settings

ASK = """
import django; django.setup()
from portal.welcome.operator import operator
one = operator()
print(one.name, *one.address, one.contact, one.vat_id, sep=";")
"""


def test_pages_and_papers_have_everything_that_an_operator_can_say(tmp_path: Path) -> None:
    env = tmp_path / "env"
    write_settings(env, "", DEMO_OPERATOR)
    assert read_settings(env) == DEMO_OPERATOR
    inside = {
        "EVPORTAL_ENV_FILE": str(env),
        "EVPORTAL_SECRET_KEY": "x" * 50,
        "DJANGO_SETTINGS_MODULE": "evportal.settings",
    }
    told = subprocess.run([sys.executable, "-c", ASK], cwd=ROOT, env=inside, capture_output=True, text=True, check=True)
    assert told.stdout.strip().split(";") == [
        "EVPortal demo",
        *("1 Example Street", "Anytown", "United States"),
        "charging@example.org",
        "DEMO-000000000",
    ]
