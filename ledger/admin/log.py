"""The transparency log in the admin: what it is made of, and how far each checkpoint is. Nobody writes it by hand."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from common.admin_log import Logged
from common.admin_read_only import ReadOnly
from ledger.models import LogCheckpoint, LogTile


@admin.register(LogTile)
class LogTileAdmin(ReadOnly, Logged):
    list_display = ("__str__", "level", "index", "width")
    list_filter = ("level",)
    ordering = ("level", "-index")
    fields = ("level", "index", "width", "data_hex")

    @admin.display(description=_("data"))
    def data_hex(self, tile: LogTile) -> str:
        """The leaves, or the hashes, one after the other."""
        return bytes(tile.data).hex()


@admin.register(LogCheckpoint)
class LogCheckpointAdmin(ReadOnly, Logged):
    list_display = ("size", "state_shown", "made_at", "published_at", "upto_block", "root_hex")
    list_filter = (("published_at", admin.EmptyFieldListFilter),)
    search_fields = ("=size",)
    search_help_text = _("The size, in full")
    date_hierarchy = "made_at"
    fields = (
        *("size", "old_size", "state_shown", "root_hex", "upto_block", "late", "note"),
        *("transaction", "made_at", "signed_at", "published_at"),
    )

    @admin.display(description=_("state"))
    def state_shown(self, checkpoint: LogCheckpoint) -> str:
        """How far it is."""
        return str(checkpoint.state.label)

    @admin.display(description=_("root"))
    def root_hex(self, checkpoint: LogCheckpoint) -> str:
        """As the chain's tools write it."""
        return bytes(checkpoint.root).hex()
