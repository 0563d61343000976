"""The command `python -m tpm.service.audit`: is the log of key uses whole?"""

import argparse
import sys
from pathlib import Path

from tpm.service.keys.audit_check import Head, verify


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns 0 for whole logs, 1 where one is broken, 2 where one cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m tpm.service.audit", description="Check logs of key uses.")
    command = parser.add_subparsers(required=True).add_parser("verify", help="check the chain")
    command.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="directory of a log, or files of it")
    command.add_argument("--head", type=Head.parsed, metavar="SEQUENCE:HASH", help="an attested entry")
    chosen = parser.parse_args(arguments)
    try:
        report = verify(chosen.paths, head=chosen.head)
    except OSError as error:
        print(f"cannot read the log: {error}", file=sys.stderr)
        return 2
    for broken in report.breaks:
        print(broken)
    print(f"{len(report.breaks)} breaks found" if report.breaks else f"intact: {report.extent}")
    return 1 if report.breaks else 0


if __name__ == "__main__":
    sys.exit(main())
