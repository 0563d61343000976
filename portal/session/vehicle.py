"""What the page of a charge says of its vehicle."""

from typing import Any

from accounts.models import User
from stations.models import ChargingSession
from stations.vehicles.assigning import garage_of, link_of


def vehicle_context(session: ChargingSession, reader: User) -> dict[str, Any]:
    """For the template; {} where it goes on, is somebody else's, or the reader has no vehicles."""
    if not session.is_closed or session.customer_id != reader.pk:
        return {}
    garage = garage_of(reader)
    if not garage.vehicles:
        return {}
    link = link_of(session)
    odometer_km = link.odometer_km if link else None
    return {"has_vehicles": True, "vehicle": garage.vehicle_of(session), "odometer_km": odometer_km}
