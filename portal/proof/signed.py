"""What the meter signed of a charge, in the words of its page, and as the container that S.A.F.E.'s software reads."""

from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.privacy.access_log import Look
from ledger.kept import as_recorded, kept_record
from ledger.state.words import entry_of
from portal.reading import session_read
from stations.metering import containers
from stations.metering.judging import Judgement, SignedValue, half_up, judge
from stations.metering.words import VERDICTS, reason_text
from stations.models import ChargingSession
from stations.models.metering import MeterPublicKey, fingerprint_of

CLASSES = {"VERIFIED": "recorded", "FAILED": "mismatch", "NOT CHECKED": "late"}


@dataclass(frozen=True)
class Signed:
    """What the page says of it. `state` is the class of its mark; begin and end in Wh, None where unknown."""

    verdict: str
    words: str
    reason: str
    state: str
    count: int
    begin_wh: int | None
    end_wh: int | None
    meter_serial: str
    fingerprint: str
    registered: bool


def signed_of(session: ChargingSession) -> Signed | None:
    """Of a charge that ended, as it was recorded; None of one that goes on, and of a credit, which no meter signs."""
    if not session.is_closed or session.credit:
        return None
    verdict = session.signed_verdict or "NOT SIGNED"
    judged = _judged(session)
    begin, end = judged.begin, judged.end
    return Signed(
        verdict=verdict,
        words=str(VERDICTS.get(verdict, verdict)),
        reason=reason_text(session.signed_reason) if session.signed_reason else "",
        state=CLASSES.get(verdict, "none"),
        count=len(session.signed_meter_values),
        begin_wh=half_up(begin.register_wh) if begin else None,
        end_wh=half_up(end.register_wh) if end else None,
        meter_serial=judged.meter_serial,
        fingerprint=fingerprint_of(session.meter_public_key) if session.meter_public_key else "",
        registered=MeterPublicKey.objects.filter(public_key=session.meter_public_key).exists()
        if session.meter_public_key
        else False,
    )


def values_of(session: ChargingSession) -> list[SignedValue]:
    """Its signed texts, as they came."""
    return [SignedValue.of(value) for value in session.signed_meter_values]


def _judged(session: ChargingSession) -> Judgement:
    """Judged anew, for the registers and the meter's number, which the record says in other words."""
    key = bytes.fromhex(session.meter_public_key) if session.meter_public_key else None
    return judge(values_of(session), key)


@require_safe
@login_required
@never_cache
def meter_values_xml(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """All that the meter signed, with its key, as S.A.F.E.'s container; 404 where it signed nothing."""
    session = session_read(request, session_id, Look.EXPORT)
    entry = entry_of(session)
    kept = kept_record(entry) if entry else None
    shown = (as_recorded(session, kept) if kept else None) or session
    if not shown.signed_meter_values:
        raise Http404
    content = containers.written(values_of(shown), shown.meter_public_key, shown.transaction_id)
    headers = {"Content-Disposition": f'attachment; filename="evportal-signed-meter-values-{session.pk}.xml"'}
    return HttpResponse(content, content_type="application/xml", headers=headers)
