"""Commands of docs/containers.md: `python -m dev.containers engine|build|prepare|stop`."""

import argparse

from dev.common.processes import ProcessError
from dev.common.steps import StackError, run, step
from dev.containers import engine, images
from dev.containers.prepare import Files
from dev.stack.layout import make_directories


def make_ready(host: engine.Engine, files: Files, *, version: str) -> None:
    """Base image, all images, secrets and the signed release: what `docker-compose up` needs."""
    images.make_base(host)
    images.build(host, version=version)
    with step("secrets, keys and settings"):
        files.prepare()
    with step("release of the TPM service, signed and approved"):
        files.sign_release(host)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.containers", description="What compose.yaml needs.")
    commands = parser.add_subparsers(dest="command", required=True)
    prepare = commands.add_parser(
        "prepare", help="images, secrets and the signed release; starts an engine if none runs"
    )
    prepare.add_argument("--version", default="development", help="of the TPM service's release")
    commands.add_parser("stop", help="end the engine that prepare started, with its containers")
    options = parser.parse_args()
    make_directories()
    if options.command == "stop":
        engine.stop()
        return
    with engine.engine(keep=True) as host:
        files = Files()
        make_ready(host, files, version=options.version)
    print(f"\nNow: export DOCKER_HOST={host.host}\n     docker-compose --env-file {files.environment} up --detach")


if __name__ == "__main__":
    run(main, StackError, ProcessError)
