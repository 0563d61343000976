"""The transparency log as static files (C2SP tlog-tiles): whoever follows it reads them here."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from accounts.login.access import public
from ledger.log.newest import published
from ledger.log.serving import tile_bytes
from ledger.log.tiles import Tile, TileError
from ledger.log.witnesses.served import published_note

FOR_EVER = "public, max-age=31536000, immutable"  # what was published never changes, of a tile that is not full either
NOW = "no-cache"


@public
@require_safe
def log_file(request: HttpRequest, path: str) -> HttpResponse:
    """`checkpoint`, `tile/…` or `tile/entries/…` of the newest published checkpoint; 404 for all else."""
    newest = published()
    if newest is None:
        raise Http404("the log has no checkpoint yet")
    if path == "checkpoint":
        return _file(published_note(newest), "text/plain; charset=utf-8", NOW)
    try:
        data = tile_bytes(Tile.at(path), newest.size)
    except TileError as error:
        raise Http404(str(error)) from error
    if data is None:
        raise Http404(f"the tree of {newest.size} leaves has no {path}")
    return _file(data, "application/octet-stream", FOR_EVER)


def _file(data: bytes, kind: str, caching: str) -> HttpResponse:
    headers = {"Cache-Control": caching, "Access-Control-Allow-Origin": "*"}  # also a page of somebody else may check
    return HttpResponse(data, content_type=kind, headers=headers)
