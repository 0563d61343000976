from stations.models import ChargingSession


def entries_open(*, sessions: list[ChargingSession]) -> None:
    pass
