"""The database behind the ledger: one SQLite file, or PostgreSQL by URL.

SQLite runs in WAL mode: readers and one writer at a time do not wait for each
other, and a killed process loses nothing it has written (only a power cut may
take the last moments with it). WAL needs memory that all its processes share:
it works on one machine and not on a network file system (NFS, SMB, most cluster
file systems; https://www.sqlite.org/wal.html). For many machines, or runs on such
a file system, use PostgreSQL, or a path on a local disk.

Every fault of the database is raised as a `RunError` that says what to do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import sqlalchemy as sa

from phi_kit.core.errors import RunError

T = TypeVar("T")

BUSY_SECONDS = 60  # that a writer waits for another one
CONNECT_SECONDS = 10
RETRY_SECONDS = (1.0, 3.0, 9.0)  # a server that restarts is back within some seconds

_LOCK = 0x70686921  # any number that nothing else on the server locks by
_BUSY = 5
_OR_SET = "PHI_KIT_LEDGER=PATH for another file, or PHI_KIT_LEDGER=off for none"
_FREE_SPACE = (
    "free some space and run the same command again; every finished sample is kept"
)
# By SQLite's primary result code, https://www.sqlite.org/rescode.html
_SQLITE_FAULTS = {
    _BUSY: ("another program holds the ledger", "end that program, or wait for it"),
    8: ("the ledger cannot be written", f"make it writable, or set {_OR_SET}"),
    10: ("the ledger's disk is full or fails", _FREE_SPACE),
    11: (
        "the ledger is damaged",
        "move it away with its -wal and -shm files; `sqlite3 FILE .recover` saves "
        "what can be read of it",
    ),
    13: ("the ledger's disk is full", _FREE_SPACE),
    14: ("the ledger cannot be opened", f"make its folder writable, or set {_OR_SET}"),
    26: ("this file is no ledger", f"move it away, or set {_OR_SET}"),
}
_OTHER_FAULT = ("the ledger cannot be used", f"move it away, or set {_OR_SET}")


class Database:
    """A database, opened when it is first needed.

    Args:
        address: a file's path, or an SQLAlchemy URL for PostgreSQL or SQLite.
        readonly: nothing is written or created.

    Raises:
        RunError: the URL cannot be read, or is of another kind of database.
    """

    def __init__(self, address: str, *, readonly: bool = False):
        self.readonly = readonly
        self.url = _url(address)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.file = Path(self.url.database) if self.is_sqlite else None
        self.location = str(self.file or self.url.render_as_string(hide_password=True))

    @cached_property
    def engine(self) -> sa.Engine:
        """The SQLAlchemy engine."""
        if self.is_sqlite:
            url, args = self._sqlite_url(), {"timeout": BUSY_SECONDS}
        else:
            url, args = self.url, {"connect_timeout": CONNECT_SECONDS}
        # Connections stay open: when the last one to a file closes, SQLite empties
        # the WAL, which takes longer than all else. A server may have hung up.
        engine = sa.create_engine(
            url, pool_size=2, pool_pre_ping=not self.is_sqlite, connect_args=args
        )
        if not self.readonly:
            configure = _set_up_sqlite if self.is_sqlite else _set_up_postgresql
            sa.event.listen(engine, "connect", configure)
        return engine

    def _sqlite_url(self) -> sa.URL:
        if not self.readonly:
            return self.url.set(query={})
        # In a folder that cannot be written, WAL has no place for its memory.
        writable = os.access(self.file.parent, os.W_OK)
        mode = {"mode": "ro"} if writable else {"immutable": "1"}
        path = f"file:{quote(str(self.file.absolute()))}"
        return self.url.set(database=path, query={**mode, "uri": "true"})

    def create(self, tables: sa.MetaData) -> None:
        """Create missing tables; processes that start together take turns."""
        if self.is_sqlite:
            try:
                self.file.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                what, todo = _SQLITE_FAULTS[14]
                message = f"{what}: {error.strerror}"
                raise RunError(message, where=self.location, todo=todo) from error
            _retry_while_busy(self._use_wal)
        with self.engine.begin() as connection:
            if not self.is_sqlite:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
            for table in tables.sorted_tables:
                connection.execute(sa.schema.CreateTable(table, if_not_exists=True))

    def _use_wal(self) -> None:
        with self.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")

    @property
    def clock(self) -> sa.ColumnElement[float]:
        """The database's time in seconds: machines' own clocks may differ."""
        if self.is_sqlite:
            return sa.cast(sa.func.strftime("%s", "now"), sa.Double)
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double)

    def insert(
        self, table: sa.Table, *, replace: bool | sa.ColumnElement[bool] = False
    ) -> sa.Insert:
        """An INSERT that leaves an existing row alone, or replaces it.

        Args:
            table: the table to insert into.
            replace: whether a row with the same key is replaced, or the condition
                on which it is.
        """
        from sqlalchemy.dialects import postgresql, sqlite

        dialect = sqlite if self.is_sqlite else postgresql
        insert = dialect.insert(table)
        if replace is False:
            return insert.on_conflict_do_nothing()
        (key,) = table.primary_key.columns
        new = {c.name: insert.excluded[c.name] for c in table.columns if c is not key}
        where = None if replace is True else replace
        return insert.on_conflict_do_update(index_elements=[key], set_=new, where=where)

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """A connection that commits every statement at once."""
        with self.errors(), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A connection that commits at the end, or nothing at all."""
        with self.errors(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Errors of the database as a `RunError`."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise self._fault(error.orig) from error
        except ModuleNotFoundError as error:
            raise RunError(
                f"a ledger in PostgreSQL needs the package {error.name}",
                where=self.location,
                todo="pip install 'phi-kit[cluster]'",
            ) from error

    def with_retries(self, work: Callable[[], T]) -> T:
        """`work()`, repeated after a pause if the server has hung up."""
        for pause in () if self.is_sqlite else RETRY_SECONDS:
            try:
                return work()
            except sa.exc.OperationalError:
                time.sleep(pause)
        return work()

    def _fault(self, error: BaseException) -> RunError:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if self.is_sqlite:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            what, todo = _SQLITE_FAULTS.get(code, _OTHER_FAULT)
        else:
            what = "the ledger's database does not answer as it should"
            todo = (
                "start the server or correct PHI_KIT_LEDGER, and run the same command "
                "again; PHI_KIT_LEDGER=off goes without"
            )
        return RunError(f"{what}: {reason}", where=self.location, todo=todo)


def _url(address: str) -> sa.URL:
    if "://" not in address:
        return sa.URL.create("sqlite", database=str(Path(address).expanduser()))
    try:
        url = sa.make_url(address)
        kind = url.get_backend_name()
    except sa.exc.ArgumentError:
        kind = ""
    if kind == "postgresql":
        return url.set(drivername="postgresql+psycopg")
    if kind == "sqlite" and url.database not in (None, "", ":memory:"):
        return url
    raise RunError(
        "this address names no ledger",
        where=address.partition("://")[0] + "://…",  # a password may follow
        todo="give a path, postgresql://user@host/database, or off",
    )


def _retry_while_busy(work: Callable[[], None]) -> None:
    """Retry while another process does the same: no busy handler waits for this."""
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return work()
        except sa.exc.OperationalError as error:
            busy = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == _BUSY
            if not busy or time.monotonic() > end:
                raise
            time.sleep(0.05)


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous = NORMAL")


def _set_up_postgresql(connection: Any, _: Any) -> None:
    # As with SQLite: a power cut of the server may cost its last moments, which
    # is worth not to wait for its disk at every sample.
    connection.execute("SET synchronous_commit TO off")
    connection.commit()
