"""The development provider as a child process, for stacks and tests."""

import re
import sys
from pathlib import Path

from dev.cognito.pool import Pool
from dev.cognito.tokens import POOL
from dev.common.processes import Server, port_open


class Provider(Server):
    """The provider as a child process on a port of 127.0.0.1."""

    def __init__(self, directory: Path, port: int, *, log: Path) -> None:
        argv = [sys.executable, "-m", "dev.cognito", "--port", str(port), "--dir", str(directory)]
        super().__init__("dev.cognito", argv, log=log, cwd=Path(__file__).parents[2])
        self.pool = Pool(directory)
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.issuer = f"{self.url}/{POOL}"
        self.jwks_url = f"{self.issuer}/.well-known/jwks.json"
        self.token_url = f"{self.url}/oauth2/token"

    def asked(self, endpoint: str) -> int:
        """Return how many requests for an endpoint (`token`, `jwks.json`) its log holds."""
        return len(re.findall(rf"\w+ /\S*{re.escape(endpoint)} HTTP", self.log.read_text()))

    def ready(self) -> bool:
        return port_open(self.port)
