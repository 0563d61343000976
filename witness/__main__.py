"""`python3 -m witness`: make a key, run, show where the logs stand, certify a TPM (docs/witness.md)."""

import argparse
import json
import logging
import signal
import sys
import threading
import time
from pathlib import Path

from witness.asking import Server
from witness.chain import follow
from witness.config import CONFIG_FILE, EXAMPLE, KEY_FILE, LISTEN, STATE_DIRECTORY, Config, read_config
from witness.core import Witness
from witness.errors import WitnessError
from witness.files import release_files
from witness.keys import SigningKey, read_key
from witness.server import WitnessServer
from witness.state import State, make_state, read_standing, replaced
from witness.tpm.enrolment import enrol

FOLLOW_EVERY_S = 0.5
log = logging.getLogger("witness")


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; returns the exit status."""
    chosen = _parser().parse_args(arguments)
    level = logging.DEBUG if getattr(chosen, "verbose", False) else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    try:
        status: int = chosen.do(chosen)
    except (WitnessError, OSError) as error:
        print(f"witness: {error}", file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m witness", description="A witness of transparency logs.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    keygen = commands.add_parser("keygen", help="make a key, its state and a configuration, in a new directory")
    keygen.add_argument("--name", required=True, help="of the witness, as example.org/witness: no blanks, no plus")
    keygen.add_argument("--directory", type=Path, required=True, help="a new one, or an empty one")
    keygen.add_argument("--listen", default=LISTEN, help="ADDRESS:PORT for the configuration (%(default)s)")
    keygen.set_defaults(do=_keygen)
    run = commands.add_parser("run", help="witness, until SIGTERM")
    run.add_argument("--verbose", action="store_true", help="tell of each request")
    run.set_defaults(do=_run)
    show = commands.add_parser("show", help="the vkey, and where each log stands; also while a witness runs")
    show.set_defaults(do=_show)
    certify = commands.add_parser("enrol", help="see that a TPM's attestation key lives in it, and certify that")
    certify.add_argument(
        "--tpm-service", required=True, metavar="URL", help="the address of the operator's TPM service"
    )
    certify.add_argument("--roots", type=Path, required=True, help="PEM: roots and CAs of the makers of TPMs you trust")
    certify.add_argument(
        "--token-file", type=Path, required=True, help="an access token of the operator, scope tpm/attest"
    )
    certify.set_defaults(do=_enrol)
    for command in (run, show, certify):
        command.add_argument("--config", type=Path, default=Path(CONFIG_FILE), help="(%(default)s)")
    return parser


def _keygen(chosen: argparse.Namespace) -> int:
    key, directory = SigningKey.new(chosen.name), chosen.directory
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    key.write(directory / KEY_FILE)
    make_state(directory / STATE_DIRECTORY, key.verifier.text)
    config = directory / CONFIG_FILE
    if not config.exists():
        config.write_text(EXAMPLE.format(path=config, listen=chosen.listen))
    print(key.verifier.text)
    return 0


def _run(chosen: argparse.Namespace) -> int:
    config = read_config(chosen.config)
    key = read_key(config.key)
    files = release_files(config.release)
    # It is held until the process is gone: threads may still be writing when we are told to end.
    state = State(config.state, key.verifier.text)
    with WitnessServer((config.host, config.port), Witness(key, state, config.logs), files) as server:
        _serve(server, config)
    return 0


def _serve(server: WitnessServer, config: Config) -> None:
    """Until SIGTERM or Ctrl-C. Nobody waits for what is being answered then: it is on the disk, or never was signed."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    for each in config.logs.values():
        if each.chain:
            threading.Thread(target=follow, args=(each.chain, FOLLOW_EVERY_S, ended), daemon=True).start()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host, port = server.server_address[:2]
    log.info(
        "%s listens on %s:%s; %d logs, %d files",
        server.witness.key.name,
        host,
        port,
        len(config.logs),
        len(server.files),
    )
    ended.wait()
    server.shutdown()
    log.info("ended")


def _show(chosen: argparse.Namespace) -> int:
    config = read_config(chosen.config)
    print(read_key(config.key).verifier.text)
    for origin in config.logs:
        standing = read_standing(config.state, origin)
        print(f"{origin}: size {standing.size}, root {standing.root.hex()}, entries read {standing.content.tree.size}")
    return 0


def _enrol(chosen: argparse.Namespace) -> int:
    config = read_config(chosen.config)
    key, token = read_key(config.key), chosen.token_file.read_text().strip()
    certificate = enrol(Server(chosen.tpm_service), token, chosen.roots.read_bytes(), key, time.time())
    text = json.dumps(certificate, indent=1)
    replaced(config.state / "ak" / f"{certificate['ak']}.json", text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
