"""Celery tasks of certificates: fetch, call a service, nothing else. The sweep finds what nobody announced."""

import logging

from celery import shared_task

from stations.certificates import authority, requests, telling
from stations.certificates.errors import AuthorityUnavailableError

log = logging.getLogger(__name__)


@shared_task(name="stations.tasks.certificate_sign", time_limit=120)
def certificate_sign(request_id: int) -> bool:
    """Sign what a station asked for, and send it; False while the TPM is away, and it waits for the sweep."""
    try:
        certificate = requests.request_sign(request_id=request_id)
    except AuthorityUnavailableError as error:
        log.warning("certificate request %d waits: %s", request_id, error)
        return False
    if certificate is not None:
        telling.certificate_send(certificate)
    return True


@shared_task(name="stations.tasks.certificates_sweep", time_limit=300)
def certificates_sweep() -> None:
    """Sign and send what waits, take up answers, make revocation lists that are due."""
    telling.outcomes_take()
    for certificate in telling.certificates_to_send():
        telling.certificate_send(certificate)
    for request_id in requests.requests_waiting():
        if not certificate_sign(request_id):
            break  # nor the others
    certificates_revocation_lists()


@shared_task(name="stations.tasks.certificates_revocation_lists", time_limit=300)
def certificates_revocation_lists() -> None:
    """Make those that are due; while the TPM is away the ones that are there stay good for days."""
    for row in authority.crls_due():
        try:
            authority.crl_make(row)
        except AuthorityUnavailableError as error:
            log.warning("the revocation list of %s waits: %s", row, error)
            authority.crl_postpone(row)


@shared_task(name="stations.tasks.certificates_renew", time_limit=300)
def certificates_renew() -> int:
    """Daily: stations whose certificate runs out are asked for a new request."""
    return telling.renewals_ask()
