"""WSGI entry point of the web process."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evportal.settings")
application = get_wsgi_application()

# What is loaded now stays until the end, so the collector need not look through it again and again; and it looks once
# for several pages, whose objects nearly all go without it.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 20)
