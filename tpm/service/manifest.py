"""The command `python -m tpm.service.manifest`: make, sign, approve and check a release (release/command.py)."""

import sys

from tpm.service.release.command import main

if __name__ == "__main__":
    sys.exit(main())
