"""What stations are told of certificates, as commands, and what they answered.

Commands are kept and sent by the gateway (stations/commands/). Their outcomes are taken up here when they are there;
a station that did not answer may have taken what it was sent, so nothing is believed lost before it says so.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from stations.certificates import authority
from stations.certificates.requests import CHARGING_STATION
from stations.commands.asking import command_ask
from stations.models import Command, InstalledRoot, NextCredential, Station, StationAuthority, StationCertificate

State = StationCertificate.State
V16 = "1.6"
# A station that is away is told when it comes back.
VALID_FOR = timedelta(days=30)
REFUSED = {Command.State.REJECTED, Command.State.REFUSED, Command.State.UNSUPPORTED}
UNANSWERED = {Command.State.WAITING, Command.State.SENT, Command.State.TIMED_OUT}
ASK_EVERY = timedelta(days=1)


# --- certificates that were signed


@transaction.atomic
def certificate_send(certificate: StationCertificate) -> Command | None:
    """Send a certificate that was just issued to its station (CertificateSigned); None where that was done before."""
    row = StationCertificate.objects.filter(pk=certificate.pk, state=State.ISSUED, station__isnull=False)
    if not row.update(state=State.SENT) or certificate.station is None:
        return None
    params: dict[str, Any] = {"chain_pem": certificate.certificate_pem, "type": CHARGING_STATION}
    request = certificate.requested_by
    if request is not None and request.request_id is not None:
        params["request_id"] = request.request_id  # OCPP 2.1: the station finds its request by it
    command = _ask(certificate.station, "certificate_signed", params, None)
    StationCertificate.objects.filter(pk=certificate.pk).update(command=command)
    return command


def certificates_to_send() -> list[StationCertificate]:
    """What a killed worker signed and did not send."""
    rows = StationCertificate.objects.filter(state=State.ISSUED, station__isnull=False)
    return list(rows.select_related("station", "requested_by").order_by("pk"))


# --- roots


@transaction.atomic
def root_install(*, station: Station, root: StationAuthority, by: User | None) -> InstalledRoot:
    """Have the station believe this authority (InstallCertificate), so that it knows the gateway by it."""
    params = {"type": "CSMSRootCertificate", "pem": root.certificate_pem}
    command = _ask(station, "install_certificate", params, by)
    asked = {"state": InstalledRoot.State.ASKED, "command": command, "answer": "", "answered_at": None}
    asked["asked_at"] = timezone.now()
    return InstalledRoot.objects.update_or_create(station=station, authority=root, defaults=asked)[0]


# --- renewal


@transaction.atomic
def certificate_ask(*, station: Station, by: User | None = None) -> Command:
    """Have the station ask for a certificate: it is told how we are called, makes a key, and sends SignCertificate."""
    if (name := authority.organization()) and station.ocpp_version == V16:
        _ask(station, "change_configuration", {"key": "CpoName", "value": name}, by)
    elif name:
        variable = {"component": "SecurityCtrlr", "variable": "OrganizationName", "value": name}
        _ask(station, "set_variables", {"variables": [variable]}, by)
    return _ask(station, "trigger_message", {"message": "SignChargingStationCertificate"}, by)


def _ask(station: Station, kind: str, params: dict[str, Any], by: User | None) -> Command:
    asked_as = Command.By.OPERATOR if by else Command.By.PORTAL
    return command_ask(station=station, kind=kind, params=params, by=asked_as, user=by, valid_for=VALID_FOR)


def renewals_ask() -> int:
    """Ask each station whose certificate runs out soon for a new request, once a day at most; how many were asked."""
    now = timezone.now()
    due = StationCertificate.objects.expiring(now, now + timedelta(days=settings.OCPP_RENEW_DAYS))
    asked = 0
    for row in due.filter(station__isnull=False):
        if row.renewal_asked_at is not None and row.renewal_asked_at > now - ASK_EVERY:
            continue
        with transaction.atomic():
            before = StationCertificate.objects.filter(pk=row.pk, renewal_asked_at=row.renewal_asked_at)
            if row.station is not None and before.update(renewal_asked_at=now):
                certificate_ask(station=row.station)
                asked += 1
    return asked


# --- answers


def outcomes_take() -> int:
    """Take up what stations answered; how many rows went on. Safe beside other workers: each row goes on once."""
    return _certificates_answered() + _roots_answered() + _credentials_answered()


def _certificates_answered() -> int:
    # A command that timed out may be answered late; and a station may have taken what it did not answer.
    rows = StationCertificate.objects.filter(state=State.SENT, answer="", command__isnull=False)
    rows = rows.exclude(command__state__in=UNANSWERED)
    count = 0
    for row in rows.select_related("command"):
        command = row.command
        assert command is not None
        state = State.SENT
        if command.state == Command.State.ACCEPTED:
            state = State.ACCEPTED
        elif command.state in REFUSED:
            state = State.REJECTED
        waiting = StationCertificate.objects.filter(pk=row.pk, state=State.SENT, answer="")
        count += waiting.update(state=state, answer=_words(command))
    return count


def _roots_answered() -> int:
    rows = InstalledRoot.objects.filter(state=InstalledRoot.State.ASKED, command__isnull=False)
    rows = rows.exclude(command__state__in=UNANSWERED)
    count = 0
    for row in rows.select_related("command"):
        command = row.command
        assert command is not None
        is_there = command.state == Command.State.ACCEPTED
        state = InstalledRoot.State.INSTALLED if is_there else InstalledRoot.State.REFUSED
        asked = InstalledRoot.objects.filter(pk=row.pk, command=command, state=InstalledRoot.State.ASKED)
        count += asked.update(state=state, answer=_words(command), answered_at=command.answered_at)
    return count


def _credentials_answered() -> int:
    rows = NextCredential.objects.filter(answer="", command__isnull=False)
    rows = rows.exclude(command__state__in=[Command.State.WAITING, Command.State.SENT])
    count = 0
    for row in rows.select_related("command"):
        command = row.command
        assert command is not None
        # One that did not answer may have taken it: both credentials stay good.
        state = NextCredential.State.TOLD
        if command.state in REFUSED:
            state = NextCredential.State.REFUSED
        elif command.state in {Command.State.EXPIRED, Command.State.CANCELLED}:
            state = NextCredential.State.WAITING
        told = NextCredential.objects.filter(pk=row.pk, command=command, answer="")
        count += told.update(state=state, answer=_words(command))
        Command.objects.filter(pk=command.pk).update(params={})  # nobody needs the sealed credential any more
    return count


def _words(command: Command) -> str:
    return (command.words or command.get_state_display())[:500]
