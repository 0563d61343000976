"""Has a site looked at soon."""

from common.announce import announce


def hurry_site(site_id: int) -> None:
    """Without a broker the sweep looks within ten seconds."""
    announce("stations.tasks.load_share", site_id, expires=10)
