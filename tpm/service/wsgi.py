"""WSGI entry: `gunicorn -c tpm/service/gunicorn.conf.py tpm.service.wsgi`."""

import logging
import os
import sys

import httpx2
from django.core.cache import close_caches
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, reset_queries

os.environ["DJANGO_SETTINGS_MODULE"] = "tpm.service.settings"

application = get_wsgi_application()

# there is no database and no cache whose connections would have to be looked after with each request
request_started.disconnect(reset_queries)
request_started.disconnect(close_old_connections)
request_finished.disconnect(close_old_connections)
request_finished.disconnect(close_caches)

from tpm.service import urls  # noqa: E402, F401 - the settings have to be there first
from tpm.service.device.measured import PcrNotZeroError  # noqa: E402
from tpm.service.views import openapi, parts  # noqa: E402

# What runs is loaded before it is measured. What a request loaded could have been changed since through another name
# of its file, of which the watcher hears nothing (integrity/drift.py); and it would be at the keys before the watcher.
try:
    openapi.page()
except Exception as error:  # noqa: BLE001 - a file is gone or not what it was: the measurement will say so
    logging.getLogger(__name__).error("the API's page cannot be made: %s", type(error).__name__)
httpx2.HTTPTransport().close()

try:
    parts.start()
except PcrNotZeroError as error:
    logging.getLogger(__name__).critical("not started: %s", error)
    sys.exit(3)  # gunicorn's WORKER_BOOT_ERROR: no other worker is tried
