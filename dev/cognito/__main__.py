"""`python -m dev.cognito`: see dev/cognito/__init__.py."""

import argparse
import sys
from pathlib import Path

from werkzeug.serving import make_server

from dev.cognito.app import make_app
from dev.cognito.pool import Pool


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.cognito", description="Cognito-shaped identity provider")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--dir", type=Path, required=True, help="directory of signing key, clients and people")
    parser.add_argument("--listen", default="127.0.0.1", help="address to listen on; 0.0.0.0 in a container")
    parser.add_argument("--url", help="where programs reach it, the issuer's beginning (default http://127.0.0.1:PORT)")
    parser.add_argument("--domain", help="where browsers reach it (default: as --url)")
    options = parser.parse_args(arguments)
    url = options.url or f"http://127.0.0.1:{options.port}"
    app = make_app(Pool(options.dir), url, domain=options.domain or url)
    server = make_server(options.listen, options.port, app, threaded=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
