"""WSGI entry: `gunicorn -c tpm/service/gunicorn.conf.py tpm.service.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "tpm.service.settings"

application = get_wsgi_application()

# whatever is wrong with the code or the key directory ends the start, not the first request
from tpm.service import urls, wiring  # noqa: E402, F401 - the settings have to be there first

wiring.key_store()
wiring.sealed_store()
