"""Django's PostgreSQL, directly or behind a pooler such as PgBouncer, which Django does not notice by itself.

A pooler that gives each transaction another server connection (PgBouncer's transaction pooling) knows neither
prepared statements nor cursors that outlive their transaction. It is noticed by this: the process that the greeting
names, so that queries can be cancelled, is not the one that answers. PgBouncer refuses settings at the connection's
start (`options`), so what is set is set afterwards.
"""

from typing import Any

from django.db.backends.postgresql import base

# For SSDs; the server's own 4 is for discs that turn, and makes it read whole tables for a driver's few rows.
GREETING = "SELECT set_config('random_page_cost', '1.1', false), pg_backend_pid()"


class DatabaseWrapper(base.DatabaseWrapper):
    """`pooled`: somebody stands in between."""

    pooled = False

    def init_connection_state(self) -> None:
        """As Django does, and look who answers."""
        super().init_connection_state()
        connection: Any = self.connection
        with connection.cursor() as cursor:
            _, process = cursor.execute(GREETING).fetchone()
        self.pooled = process != connection.info.backend_pid
        if self.pooled:
            connection.prepare_threshold = None

    def chunked_cursor(self) -> Any:
        """For `.iterator()`: of the server, where it is the same one to the end; else the client has all rows."""
        self.ensure_connection()
        return self.cursor() if self.pooled and not self.in_atomic_block else super().chunked_cursor()
