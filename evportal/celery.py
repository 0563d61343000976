"""The Celery application; tasks live in the modules `tasks` of the rooms, under names that stay when a room moves."""

import os

from celery import Celery
from kombu.transport.redis import Channel

# kombu 5.x ends the worker ("'NoneType' object has no attribute 'hostname'") when Redis goes away while a task runs: it
# tries to put the unfinished message back over the lost connection. Nobody needs that: the sweep finds its work.
Channel.do_restore = False

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evportal.settings")

TASKS = [
    *("accounts.privacy", "ledger.audit", "ledger.recording", "ledger.webhooks", "portal.employer"),
    *("portal.statements", "stations.certificates", "stations.charging", "stations.commands", "stations.imports"),
    *("stations.load", "stations.messages", "tpm.register"),
]

app = Celery("evportal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(TASKS)
