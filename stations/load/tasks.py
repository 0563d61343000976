"""Celery tasks of the load management: fetch, call a service, nothing else. `load_sweep` finds whatever changed."""

from celery import shared_task

from common.announce import announce
from stations.load import services
from stations.load.hurrying import hurry_site

AGAIN_S = 2.0  # after an answer the next step can follow


@shared_task(name="stations.tasks.load_share", time_limit=60)
def load_share(site_id: int) -> None:
    """One site; again soon while messages are on their way, as what frees current comes before what takes it."""
    if services.site_share(site_id=site_id):
        announce("stations.tasks.load_share", site_id, countdown=AGAIN_S, expires=10)


@shared_task(name="stations.tasks.load_sweep", time_limit=60)
def load_sweep() -> None:
    """Each site with a limit, by a task of its own; and outlets that have none any more."""
    for site_id in services.sites_limited():
        hurry_site(site_id)
    for outlet_id in services.outlets_to_release():
        services.outlet_release(outlet_id=outlet_id)
