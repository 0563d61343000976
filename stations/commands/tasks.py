"""Celery tasks about commands: fetch, call a service, nothing else."""

from celery import shared_task

from stations.commands.cards import local_lists_renew
from stations.commands.reservations import reservations_expire
from stations.commands.sweeping import commands_expire, commands_time_out


@shared_task(name="stations.tasks.commands_sweep", time_limit=60)
def commands_sweep() -> int:
    """What nobody waits for any more is over; how many were found."""
    return commands_expire() + commands_time_out() + reservations_expire()


@shared_task(name="stations.tasks.local_lists_renew", time_limit=300)
def lists_renew() -> int:
    """Stations whose list of cards is not what it should be are sent the difference."""
    return local_lists_renew()
