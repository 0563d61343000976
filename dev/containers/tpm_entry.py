"""The entry of the TPM service's container: resets a software TPM, then becomes gunicorn.

A measured start needs a PCR 8 of zero. A machine resets its TPM when it boots, and a container boots when it starts; so
whoever starts the service resets swtpm before it, and the service never does. A hardware TPM is left alone.
"""

import os
import socket
import struct
import sys

TCTI = "swtpm:path="
CMD_INIT = 2  # swtpm's control channel (swtpm_ioctls(3)): power off and on; the client sends TPM2_Startup
TIMEOUT_S = 20
GUNICORN = ["python3", "-m", "gunicorn", "--config", "/app/tpm/service/gunicorn.conf.py"]


def reset(control: str) -> None:
    """Power the software TPM off and on; raises OSError when it cannot be reached or refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(TIMEOUT_S)
        channel.connect(control)
        channel.sendall(struct.pack(">II", CMD_INIT, 0))
        (result,) = struct.unpack(">I", channel.recv(4, socket.MSG_WAITALL))
        if result != 0:
            raise OSError(f"expected result 0, got {result:#x}")


def main() -> None:
    tcti = os.environ.get("TPM_TCTI", "")
    if tcti.startswith(TCTI):
        control = tcti.removeprefix(TCTI) + ".ctrl"
        try:
            reset(control)
        except (OSError, struct.error) as error:
            sys.exit(f"tpm-entry: the software TPM at {control} could not be reset: {error}")
    os.execvp("python3", [*GUNICORN, "--worker-tmp-dir", "/dev/shm", *sys.argv[1:]])  # noqa: S108, S606


if __name__ == "__main__":
    main()
