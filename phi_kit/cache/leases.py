"""Who is paying for which sample, so that two processes never pay for the same.

A process claims samples before it asks a model for them. Its claims are good while
it shows that it is alive: a thread renews a lease, and on the same machine anyone
can see whether the process is still there. Claims of the dead are free at once
there, and after `LEASE` seconds elsewhere.
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
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa

from phi_kit.core.errors import RunError

from .schema import lease_holders, leases

if TYPE_CHECKING:
    from .store import Ledger

LEASE_SECONDS, RENEW_SECONDS = 60.0, 10.0  # seconds
MAX_LEASES_AHEAD = 2  # leases ahead that a lease can lie


class Leases:
    """The claims of one draw; use it in a `with` block."""

    def __init__(self, ledger: Ledger):
        self.ledger = ledger
        self.owner = uuid.uuid4().hex
        self._ended = threading.Event()
        self._beating: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._beating is not None:
            self._beating.join()
            with suppress(RunError):  # what ended the draw says more; they lapse
                self.release()

    def take(self, keys: Sequence[str]) -> set[str]:
        """Claim what nobody alive has claimed; gives what is ours now.

        Samples may have been written since they were looked up: look again.
        """
        self._bury()
        mine = leases.c.owner == self.owner
        # In one order everywhere: two that claim the same cannot block each other.
        rows = [{"key": key, "owner": self.owner} for key in sorted(keys)]
        with self.ledger.transaction() as opened:
            opened.execute(self._announcement())
            opened.execute(self.ledger.database.insert(leases), rows)
        if self._beating is None:
            self._beating = threading.Thread(target=self._beat, daemon=True)
            self._beating.start()
        with self.ledger.connection() as opened:
            return set(opened.scalars(sa.select(leases.c.key).where(mine)))

    def release(self) -> None:
        """Give up all claims; their samples are written, or will not come."""
        with self.ledger.transaction() as opened:
            opened.execute(sa.delete(leases).where(leases.c.owner == self.owner))
            opened.execute(
                sa.delete(lease_holders).where(lease_holders.c.owner == self.owner)
            )

    def _announcement(self) -> sa.Insert:
        """Says that we are alive."""
        host, pid, born = _this_process(os.getpid())
        until = self.ledger.database.clock + LEASE_SECONDS
        row = {"owner": self.owner, "host": host, "pid": pid, "born": born}
        insert = self.ledger.database.insert(lease_holders, instead=True)
        return insert.values(**row, until=until)

    def _bury(self) -> None:
        """Free the claims of the dead, and those that nobody can have made.

        A lease that lies further ahead than any is given is no sign of life, and a
        claim whose owner is unknown will never be released.
        """
        host, *_ = _this_process(os.getpid())
        clock = self.ledger.database.clock
        alive = lease_holders.c.until.between(
            clock, clock + MAX_LEASES_AHEAD * LEASE_SECONDS
        )
        with self.ledger.connection() as opened:
            known = opened.execute(sa.select(lease_holders, alive.label("alive"))).all()
        dead = [
            one.owner
            for one in known
            if not one.alive or (one.host == host and not _alive(one.pid, one.born))
        ]
        orphans = leases.c.owner.not_in(sa.select(lease_holders.c.owner))
        with self.ledger.connection() as opened:
            lost = opened.scalar(sa.select(sa.func.count()).where(orphans))
        if dead or lost:
            with self.ledger.transaction() as opened:
                opened.execute(
                    sa.delete(lease_holders).where(lease_holders.c.owner.in_(dead))
                )
                opened.execute(sa.delete(leases).where(orphans))

    def _beat(self) -> None:
        renew = sa.update(lease_holders).where(lease_holders.c.owner == self.owner)
        while not self._ended.wait(RENEW_SECONDS):
            try:
                with self.ledger.connection() as opened:
                    until = self.ledger.database.clock + LEASE_SECONDS
                    opened.execute(renew.values(until=until))
            except RunError:
                continue  # the draw itself will say so, if it lasts


@cache
def _this_process(pid: int) -> tuple[str, int, float]:
    """This machine, or what passes for one; this process and when it started."""
    import psutil

    try:  # containers may share a host's name and count processes on their own
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    born = psutil.Process(pid).create_time()
    return f"{socket.gethostname()} {space}".strip(), pid, born


def _alive(pid: int, born: float) -> bool:
    import psutil

    try:
        process = psutil.Process(pid)
        ended = process.status() == psutil.STATUS_ZOMBIE
        return not ended and abs(process.create_time() - born) < 1
    except (psutil.NoSuchProcess, TypeError, ValueError, OverflowError):
        return False
    except psutil.AccessDenied:
        return True
