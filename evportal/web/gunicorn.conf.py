"""gunicorn for the web process, wherever it runs: the address comes from the command line (`--bind`).

`--workers` and `--threads` may be others; the worker (worker.py) is what half requests cannot hold up.
"""

import resource

FILES_SPARE = 256  # for databases, Redis, templates

wsgi_app = "evportal.wsgi"
worker_class = "evportal.web.worker.BufferingWorker"
workers = 2
threads = 4
sendfile = False  # what is sent goes through the worker's loop
control_socket_disable = True  # it would be one path for all services of a user

_, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
_files = 65_536 if _most == resource.RLIM_INFINITY else min(_most, 65_536)
resource.setrlimit(resource.RLIMIT_NOFILE, (_files, _most))  # a shell's 1,024 are soon used up
worker_connections = max(64, min(8192, _files - FILES_SPARE))
