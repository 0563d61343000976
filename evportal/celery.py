"""The Celery application; tasks live in the packages' tasks.py."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evportal.settings")

app = Celery("evportal")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
