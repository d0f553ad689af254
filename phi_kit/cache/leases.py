"""Leases on samples, so that two processes never pay for the same one.

A process takes leases on samples before it asks a model for them. They are valid
while the process shows that it is alive: a thread renews them, and on the same
machine anyone can see whether the process still runs. Leases of a dead process are
free at once on its own machine, and after `LEASE_SECONDS` elsewhere.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Self

import psutil
import sqlalchemy as sa

from phi_kit.core.errors import RunError

from . import own_part
from .database import Database
from .schema import lease_holders, leases

LEASE_SECONDS, RENEW_SECONDS = 60.0, 10.0
MAX_LEASES_AHEAD = 2  # no lease can end further in the future than so many
_BOOT = Path("/proc/sys/kernel/random/boot_id")  # another one on each machine


class Leases:
    """The leases of one draw; use it in a `with` block.

    Args:
        database: of the ledger.
    """

    def __init__(self, database: Database):
        self.database = database
        self.holder = uuid.uuid4().hex
        self._ended = threading.Event()
        self._renewal: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._renewal is not None:
            self._renewal.join()
            # The error that ended the draw says more; the leases expire by themselves.
            with suppress(RunError):
                self.release()

    def take(self, keys: Sequence[str]) -> set[str]:
        """Lease the samples that no living process has leased; in a room, some of them.

        Returns:
            The keys of all samples that this draw holds leases on. Some may have
            been written since they were looked up: look again.
        """
        self._expire_stale()
        if own_part.person():
            with self.database.connection() as connection:
                taken = set(connection.scalars(sa.select(leases.c.key)))
            keys = own_part.next_part([key for key in keys if key not in taken])
            if not keys:
                return set()
        # Always in sorted order: two draws that lease the same cannot deadlock.
        rows = [{"key": key, "owner": self.holder} for key in sorted(keys)]
        with self.database.transaction() as connection:
            connection.execute(self._holder_row())
            connection.execute(self.database.insert(leases), rows)
        if self._renewal is None:
            self._renewal = threading.Thread(target=self._renew, daemon=True)
            self._renewal.start()
        ours = sa.select(leases.c.key).where(leases.c.owner == self.holder)
        with self.database.connection() as connection:
            return set(connection.scalars(ours))

    def release(self) -> None:
        """Give up all leases; their samples are written, or will not come."""
        held = leases.c.owner == self.holder
        with self.database.transaction() as connection:
            connection.execute(sa.delete(leases).where(held))
            connection.execute(
                sa.delete(lease_holders).where(lease_holders.c.owner == self.holder)
            )

    def _holder_row(self) -> sa.Insert:
        """The statement that registers this draw as alive."""
        host, pid, process_start = _process_identity(os.getpid())
        until = self.database.clock + LEASE_SECONDS
        row = {"owner": self.holder, "host": host, "pid": pid, "born": process_start}
        insert = self.database.insert(lease_holders, replace=True)
        return insert.values(**row, until=until)

    def _expire_stale(self) -> None:
        """Free the leases of dead processes, and those that cannot be valid.

        A lease that ends further ahead than any is given shows no living process,
        and one whose holder is unknown would never be released.
        """
        host, *_ = _process_identity(os.getpid())
        clock = self.database.clock
        latest = clock + MAX_LEASES_AHEAD * LEASE_SECONDS
        valid = lease_holders.c.until.between(clock, latest)
        with self.database.connection() as connection:
            query = sa.select(lease_holders, valid.label("valid"))
            holders = connection.execute(query).all()
        dead = [
            holder.owner
            for holder in holders
            if not holder.valid
            or (holder.host == host and not _is_running(holder.pid, holder.born))
        ]
        orphaned = leases.c.owner.not_in(sa.select(lease_holders.c.owner))
        with self.database.connection() as connection:
            orphans = connection.scalar(sa.select(sa.func.count()).where(orphaned))
        if dead or orphans:
            with self.database.transaction() as connection:
                connection.execute(
                    sa.delete(lease_holders).where(lease_holders.c.owner.in_(dead))
                )
                connection.execute(sa.delete(leases).where(orphaned))

    def _renew(self) -> None:
        renewal = sa.update(lease_holders).where(lease_holders.c.owner == self.holder)
        while not self._ended.wait(RENEW_SECONDS):
            try:
                with self.database.connection() as connection:
                    until = self.database.clock + LEASE_SECONDS
                    connection.execute(renewal.values(until=until))
            except RunError:
                continue  # if the fault lasts, the draw itself raises it


@cache
def _process_identity(pid: int) -> tuple[str, int, float]:
    """A name for this machine, the process's id and the time when it started."""
    # Laptops of one make may share a name; containers share their host's, and count
    # processes on their own.
    names = [socket.gethostname()]
    with suppress(OSError):
        names.append(_BOOT.read_text().strip())
    with suppress(OSError):
        names.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(names), pid, psutil.Process(pid).create_time()


def _is_running(pid: int, process_start: float) -> bool:
    """Whether the process with this id and start time still runs."""
    try:
        process = psutil.Process(pid)
        ended = process.status() == psutil.STATUS_ZOMBIE
        return not ended and abs(process.create_time() - process_start) < 1
    except (psutil.NoSuchProcess, TypeError, ValueError, OverflowError):
        return False
    except psutil.AccessDenied:
        return True
