"""WSGI entry: `gunicorn -c tpm/service/gunicorn.conf.py tpm.service.wsgi`."""

import logging
import os
import sys

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "tpm.service.settings"

application = get_wsgi_application()

from tpm.service import urls, wiring  # noqa: E402, F401 - the settings have to be there first
from tpm.service.device import PcrNotZeroError  # noqa: E402

try:
    wiring.start()
except PcrNotZeroError as error:
    logging.getLogger(__name__).critical("not started: %s", error)
    sys.exit(3)  # gunicorn's WORKER_BOOT_ERROR: no other worker is tried
