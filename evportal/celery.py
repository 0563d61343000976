"""The Celery application; tasks live in the packages' tasks.py."""

import os

from celery import Celery
from kombu.transport.redis import Channel

# kombu 5.x ends the worker ("'NoneType' object has no attribute 'hostname'") when Redis goes away while a task runs: it
# tries to put the unfinished message back over the lost connection. Nobody needs that: the sweep finds its work.
Channel.do_restore = False

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evportal.settings")

app = Celery("evportal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
