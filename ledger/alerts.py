"""Alerts: what needs a person. One open alert a code and subject, counted instead of repeated."""

import logging

from django.db.models import F
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from common import clock
from ledger.models import Alert

log = logging.getLogger(__name__)

# Kept in English with the alert, and shown in the reader's language.
WHAT_TO_DO = {
    "tpm_unavailable": _("Look at the TPM service's health. Nothing is lost; recording goes on by itself."),
    "tpm_not_attested": _(
        "The TPM service is not attested, so nothing is signed. Look at its last report under TPM "
        "services, mend what the failed step names, then choose “Attest now”. Nothing is lost."
    ),
    "tpm_not_certified": _(
        "The TPM does not certify that the signing key was made in it, so nothing is signed. Look at "
        "EVPORTAL_LEDGER_KEY, and at who made the key. Nothing is lost."
    ),
    "chain_unreachable": _("Look at the nodes in EVPORTAL_LEDGER_NODES. Nothing is lost; recording goes on by itself."),
    "wrong_chain": _("A node serves another chain than the pinned one. Correct EVPORTAL_LEDGER_NODES."),
    "node_behind": _(
        "This node is cut off from the others, so it is not asked. Look at its peers and its log. "
        "Recording goes on with the other nodes."
    ),
    "clock": _(
        "This worker's clock is wrong. Look at the time service (NTP) of its machine. "
        "Nothing stops: it works with the database's time."
    ),
    "block_unavailable": _(
        "No node in EVPORTAL_LEDGER_NODES has a block that is needed. Add one that keeps old blocks. "
        "Nothing is lost; what waits for this block goes on by itself."
    ),
    "cpu": _("The account has too little CPU. Stake more or power up, then choose “Send again”."),
    "ram": _("The account has too little RAM. Buy RAM or prune old rows, then choose “Send again”."),
    "net": _("The account has too little NET. Stake more or power up, then choose “Send again”."),
    "authority": _(
        "The chain does not accept the TPM's key. Compare the account's record permission with the TPM's key."
    ),
    "refused": _("The chain refused a transaction for a reason this version does not know. Read the message."),
    "conflict": _("Another record stands on the chain under this id or digest. Find out who recorded it."),
    "database_behind": _(
        "The database is older than the chain: it was put back from a backup, and records are missing in it. Until "
        "they are back nothing is recorded that could collide; no session is lost. Stop the portal, run "
        "`python manage.py ledger_restore`, start it again. Where they cannot be brought back, close this alert: "
        "recording goes on above them."
    ),
    "permission_changed": _("Somebody changed the account's permissions. If not you, treat the TPM's key as misused."),
    "contract_changed": _(
        "The contract is not the published one, or was changed since. If you have just installed a new version, put "
        "its contract on the account and publish it. If it was not you, somebody holds the account's owner or active "
        "key: records may have been removed or replaced. Run `python manage.py ledger_audit --history`."
    ),
    "key_elsewhere": _(
        "Another account's permission holds our signing key: records made there could be taken for ours by those who "
        "do not compare the account. Find out who set it up; the TPM's use may have been stolen."
    ),
    "mismatch": _("The database and the chain differ. Run `python manage.py ledger_audit` and compare with a backup."),
    "audit_waits": _(
        "The audit cannot go on, because no node tells how the chain is; the message says why. Look at the nodes in "
        "EVPORTAL_LEDGER_NODES. It goes on by itself where it stood."
    ),
    "master_key": _(
        "A data key cannot be opened; `python manage.py ledger_keys status` tells why. Was the TPM replaced: "
        "run `ledger_keys recover` with the recovery key. Is the master key file gone: put it back from its backup."
    ),
    "statement_mail": _(
        "The mail server does not take statements. Look at the EVPORTAL_EMAIL_ settings; the message "
        "says what it answered. Nothing is lost: each is tried again, for about a day."
    ),
    "load_limit": _(
        "The outlets of this site draw more than its limit, by what they measure. Look at “What is so now” on the "
        "limit's page: which outlet has more than its share, and whether it takes charging profiles. It closes by "
        "itself."
    ),
    "master_key_due": _(
        "The master key is not made yet, or not replaced after a customer was erased. The message says "
        "what is missing; it is tried again every 5 s."
    ),
}


def alert_raise(code: str, subject: str = "", message: str = "") -> None:
    """Open the alert, or count it where it is open already."""
    now = clock.now()
    about = {"code": code, "subject": subject}
    is_open = Alert.objects.filter(**about, closed_at__isnull=True)
    if is_open.update(last_seen_at=now, count=F("count") + 1, message=message):
        return
    log.warning("alert %s %s: %s", code, subject, message)
    # ignore_conflicts: another worker may open it in this moment; one open alert is enough.
    Alert.objects.bulk_create(
        [Alert(**about, message=message, what_to_do=WHAT_TO_DO.get(code, ""), opened_at=now, last_seen_at=now)],
        ignore_conflicts=True,
    )


def what_to_do(alert: Alert) -> str:
    """Return its advice in the reader's language; what an earlier version wrote stays as it was written."""
    known = alert.what_to_do in WHAT_TO_DO.values()
    return gettext(alert.what_to_do) if known else alert.what_to_do


def alert_close(code: str, subject: str = "") -> None:
    """Nothing where it is not open."""
    alerts_close(code, subject=subject)


def alerts_close(*codes: str, subject: str = "") -> None:
    """Close what is open of these codes, in one query: this is asked for every transaction."""
    Alert.objects.filter(code__in=codes, subject=subject, closed_at__isnull=True).update(closed_at=clock.now())
