"""gunicorn for the TPM service: one process, because the TPM has one owner, with threads.

The address comes from the command line (`--bind`). There are threads for those that wait for the TPM, for the one that
has it, enough beside them to answer 429, 401 and health at once, and for those that stay with a connection
(door/worker.py).
"""

import socket
import struct
from typing import Any

from gunicorn.errors import HaltServer  # type: ignore[import-untyped]

from tpm.service.door.worker import LINGERING
from tpm.service.settings import TPM_ALLOWED_CLIENTS, TPM_QUEUE_PLACES

STALLED_S = 2
WORKER_LOST = 4  # exit status; 1 and 3 are gunicorn's own

wsgi_app = "tpm.service.wsgi"
worker_class = "tpm.service.door.worker.LingeringWorker"
workers = 1
threads = min(TPM_QUEUE_PLACES * (len(TPM_ALLOWED_CLIENTS) + 1) + 16, 200) + LINGERING  # health has a queue of its own
worker_connections = 256 + LINGERING
keepalive = 75
timeout = 60
graceful_timeout = 10
control_socket_disable = True  # it would be one path for all services of a user


def when_ready(server: Any) -> None:
    """Let a request that has begun and does not go on lose its connection, which accepted sockets inherit on Linux.

    gunicorn has no such limit: a hundred unfinished requests, for which nobody needs a token, would hold all threads.
    """
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", STALLED_S, 0))


def child_exit(server: Any, worker: Any) -> None:
    """End with the worker: another one would find its own measurements in the PCR, and refuse to start.

    Whoever started the service resets the TPM and starts it anew. While the server is ending it has no listeners.
    """
    if server.LISTENERS:
        raise HaltServer("The worker has ended.", WORKER_LOST)
