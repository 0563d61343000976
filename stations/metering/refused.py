"""PURE. Why a signed text proves nothing."""


class Refused(ValueError):
    """A code of `stations.metering.words.REASONS`, and what exactly."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail
