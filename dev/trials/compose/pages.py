"""What needs more of an image than its Python: fonts, compiled texts, a place for e-mails, each queue's worker."""

import base64
import io
import json
import re
from typing import Any

import httpx2
from pypdf import PdfReader

from dev.common.steps import StackError
from dev.trials.compose.portal import DRIVER, Portal

SOON_S = 120
PAPER = re.compile(r'href="(/statements/([0-9-]+)\.pdf)"')
MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
MAILS = "cat /app/var/mail/*"
MAILED = """
from ledger.models import StatementMail
print(StatementMail.objects.filter(sent_at__isnull=False).count())
"""
QUEUES = """
import json
from django.conf import settings
from evportal.celery import app
found = app.control.inspect(timeout=5).active_queues() or {}
taken = {node.partition("@")[0]: sorted(queue["name"] for queue in queues) for node, queues in found.items()}
print(json.dumps([sorted(queue.name for queue in settings.CELERY_TASK_QUEUES), taken]))
"""
# An address that is refused when it is asked, and so leads nowhere: nothing leaves this machine.
PING = """
from accounts.models import User
from ledger.models import Webhook
from ledger.webhooks.delivery import secret_make
from ledger.webhooks.outbox import ping
hook = Webhook(user=User.objects.get(username="driver"), url="https://192.0.2.1/")
secret_make(hook=hook)
hook.save()
ping(hook=hook)
"""
PINGED = """
from ledger.models import Webhook, WebhookDelivery
print(WebhookDelivery.objects.filter(attempts__gt=0, error__contains="192.0.2.1").count())
"""
CERTIFICATES = "import ssl; print(ssl.create_default_context().cert_store_stats()['x509_ca'])"


def check_german(portal: Portal) -> None:
    """Whoever prefers German reads it: the compiled texts are in the image."""
    page = httpx2.get(f"{portal.url}/login", headers={"Accept-Language": "de"}, timeout=30).text
    if 'lang="de"' not in page or "Anmelden" not in page:
        raise StackError("/login in German: expected Anmelden")


def check_public_check(portal: Portal) -> None:
    """/verify names both nodes, browsers may ask them from it, and their answers may be read there."""
    answer = httpx2.get(f"{portal.url}/verify", timeout=30)
    policy = answer.headers.get("content-security-policy", "")
    allowed = re.search(r"connect-src ([^;]*)", policy)
    for node in portal.nodes:
        if node not in answer.text or allowed is None or node not in allowed[1].split():
            raise StackError(f"/verify: expected it to name {node} and to allow it, got {policy!r}")
        asked = httpx2.post(f"{node}/v1/chain/get_info", headers={"Origin": portal.url}, timeout=30)
        if not asked.is_success or asked.headers.get("access-control-allow-origin") not in ("*", portal.url):
            raise StackError(f"{node}: expected an answer that pages of {portal.url} may read, got {asked.headers}")
    pinned = portal.pinned()
    for name in ("EVPORTAL_LEDGER_PUBLIC_KEY", "EVPORTAL_LEDGER_CHAIN_ID"):
        if pinned[name] not in answer.text:
            raise StackError(f"/verify: expected {name}={pinned[name]} on it")


def check_statements(portal: Portal) -> str:
    """The driver's newest month, as a paper by web, and by e-mail with the paper of the worker; returns what it is."""
    addresses = dict.fromkeys(PAPER.findall(portal.page(portal.logged_in(DRIVER), "/statements")))
    address, month = next(found for found in addresses if MONTH.fullmatch(found[1]))
    answer = portal.logged_in(DRIVER).get(address)
    if answer.headers["content-type"] != "application/pdf":
        raise StackError(f"{address}: expected a PDF, got {answer.status_code} {answer.headers['content-type']}")
    pages = _read(answer.content, month)
    _mail(portal, month)
    return f"{month}, {pages} pages, {len(answer.content) // 1000} kB"


def _read(content: bytes, what: str) -> int:
    """How many pages a statement has; raises StackError for what is none, or has no text, or has no font for it."""
    if not content.startswith(b"%PDF"):
        raise StackError(f"statement {what}: expected a PDF, got {content[:20]!r}")
    reader = PdfReader(io.BytesIO(content))
    text = "".join(page.extract_text() for page in reader.pages)
    resources: list[Any] = [page["/Resources"] for page in reader.pages]
    fonts = {font.get_object()["/BaseFont"] for found in resources for font in found["/Font"].values()}
    if "Statement" not in text or "kWh" not in text or not any("DejaVu" in name for name in fonts):
        raise StackError(f"statement {what}: expected its title and energy in DejaVu, got {fonts} and {text[:200]!r}")
    return len(reader.pages)


def _mail(portal: Portal, month: str) -> None:
    visitor = portal.visitors[DRIVER]
    visitor.submit(visitor.get("/statements"), button=f"/statements/{month}/mail")
    portal.stack.wait_for(lambda: portal.python(MAILED) == "1", "the statement to be sent by e-mail", SOON_S)
    mails = portal.stack.execute("worker", "sh", "-c", MAILS)
    attached = re.search(r"Content-Type: application/pdf.*?\n\n(.*?)\n--", mails, re.DOTALL)
    if attached is None:
        raise StackError(f"the statement by e-mail: expected a PDF attached, got {mails[:500]}")
    _read(base64.b64decode(attached[1]), f"{month} by e-mail")


def check_queues(portal: Portal) -> str:
    """Each queue has its worker: webhooks one of their own, which tries a ping; returns who takes what."""
    queues, taken = json.loads(portal.python(QUEUES))
    expected = {"celery": [name for name in queues if name != "webhooks"], "webhooks": ["webhooks"]}
    if taken != expected:
        raise StackError(f"queues and who takes them: expected {expected}, got {taken}")
    portal.python(PING)
    portal.stack.wait_for(lambda: portal.python(PINGED) == "1", "a webhook's ping to be tried", SOON_S)
    return "; ".join(f"{worker} takes {', '.join(names)}" for worker, names in taken.items())


def check_certificates(portal: Portal) -> None:
    """The mail server's certificate is checked by the machine's, and receivers' of webhooks by certifi's."""
    for service in ("web", "worker"):
        if int(portal.stack.execute(service, "python3", "-c", CERTIFICATES)) == 0:
            raise StackError(f"{service}: expected certificates of authorities, found none")
