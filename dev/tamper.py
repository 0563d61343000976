"""What an operator with bad intentions would do: one session changed in the demo's database, past every door.

    python -m dev.tamper [SESSION_ID] [--wh N]

Without an id it takes a session of the demo's driver. No service is called and nothing is logged: what finds it is the
ledger. `manage.py ledger_restore --repair SESSION_ID` puts it back.
"""

import argparse
import os
import sys
from uuid import UUID

import django
from django.db.models import F


def tamper(session_id: UUID | None, wh: int) -> UUID | None:
    """Change the energy of a recorded session by `wh`; returns which one, None where there is none."""
    from dev.stack.portal import DRIVER
    from stations.models import ChargingSession

    sessions = ChargingSession.objects.filter(energy_wh__isnull=False, ledger_entry__isnull=False)
    chosen = sessions.filter(pk=session_id) if session_id else sessions.filter(customer__username=DRIVER)
    session = chosen.order_by("-started_at").first() or (None if session_id else sessions.first())
    if session is None:
        return None
    ChargingSession.objects.filter(pk=session.pk).update(energy_wh=F("energy_wh") + wh)
    return session.pk


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.tamper", description="Change one session of the demo.")
    parser.add_argument("session", nargs="?", type=UUID, metavar="SESSION_ID", help="(a session of the driver's)")
    parser.add_argument("--wh", type=int, default=1, help="by how much, in Wh (%(default)s)")
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evportal.settings")
    django.setup()
    session_id = tamper(chosen.session, chosen.wh)
    if session_id is None:
        print("no recorded session to change", file=sys.stderr)
        return 1
    print(f"session {session_id}: {chosen.wh:+} Wh in the database. Compare: .venv/bin/python manage.py ledger_audit")
    return 0


if __name__ == "__main__":
    sys.exit(main())
