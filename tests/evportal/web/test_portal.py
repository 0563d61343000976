"""The portal itself on that worker: in the demo, in the image, and by whatever takes its configuration."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from dev.stack.layout import ROOT
from tests.evportal.web.conftest import Start
from tests.evportal.web.test_worker import HALVES, closed

CONFIG = "evportal/web/gunicorn.conf.py"


def test_the_portal_answers_while_a_thousand_half_requests_stand(start_web: Start, tmp_path: Path) -> None:
    database = {"EVPORTAL_DATABASE_URL": f"sqlite:///{tmp_path}/empty.sqlite3"}
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=os.environ | database, check=True)
    web = start_web(**database, EVPORTAL_REDIS_URL="redis://127.0.0.1:1")
    assert b" 200 OK" in web.get("/verify")
    halves = [web.connect(sent.replace(b"Host: x", b"Host: localhost")) for sent in HALVES.values() for _ in range(100)]
    for _ in range(5):
        assert b" 200 OK" in web.get("/verify")
    assert sum(not closed(half) for half in halves) == 1000
    assert web.memory_mb() < 400


def of_the_demo() -> list[str]:
    (line,) = [line for line in (ROOT / "dev" / "Procfile").read_text().splitlines() if line.startswith("web:")]
    return shlex.split(line)


def of_the_image() -> list[str]:
    command = (ROOT / "Dockerfile").read_text().rpartition("\nCMD ")[2]
    return list(json.loads(command.replace("\\\n", "")))


@pytest.mark.parametrize("command", [of_the_demo(), of_the_image()])
def test_the_same_worker_wherever_the_portal_runs(command: list[str]) -> None:
    assert command[command.index("gunicorn") + 1 :][:2] == ["--config", CONFIG]
    assert not {"--worker-class", "-k", "--threads", "--workers"} & set(command)
