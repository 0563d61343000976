"""Wiring only: settings, urls, Celery. Decides nothing."""

from evportal.celery import app as celery_app

__all__ = ["celery_app"]
