"""The ledger: every sample ever paid for, so that none is paid for twice.

A sample is known by what decides it: the model's identity (weights, precision,
adapter, tokenizer and template), the rendered prompt, the sampling settings, the
seed of its random stream (which names the study's `rng_seed` and what the sample
is for) and its index. Change any of them and the ledger does not know it.

It lies in `runs/ledger.sqlite`. `PHI_KIT_LEDGER` names another file, a PostgreSQL
database by URL, or `off`; see `database` for what to mind with network disks.
Every sample is written before the sampler is asked for the next one, so that a
kill at any moment loses no finished sample.

Not covered: a ledger keeps what it knows for ever; there is no pruning.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property, lru_cache
from typing import Any

import sqlalchemy as sa

from phi_kit.core.errors import RunError
from phi_kit.core.paths import ledger_address
from phi_kit.core.replay_mode import replayed_ledger
from phi_kit.inference.types import Completion, SampleRequest, SamplingParams

from .database import Database
from .leases import Leases
from .schema import TABLES, models, samples

LOOKUP = 2000  # keys in one statement; SQLite allows 32,766 values

_SAMPLE = ("text", "tokens", "finish", "logprob", "cost")  # the fields of `Completion`
_TYPES = (str, int, str, float | int | None, float | int | None)
# Without an answer, and without a price: a mended server is asked again. The row
# stays for a replay, until there is a better one.
_AGAIN = ("refused", "too_long", "failed")


def open_ledger() -> Ledger | None:
    """The ledger of this process; `None` where it is off.

    Raises:
        RunError: it cannot be opened, or made.
    """
    where = ledger_address()
    if not where:
        return None
    ledger = _ledger(where, bool(replayed_ledger()), os.getpid())
    ledger.ready()
    return ledger


@lru_cache(maxsize=8)
def _ledger(where: str, readonly: bool, _process: int) -> Ledger:
    return Ledger(where, readonly=readonly)


def sample_key(model: str, one: SampleRequest, settings: str) -> str:
    """128 bits, in hex, that name a sample.

    Args:
        model: its identity.
        one: what is asked.
        settings: as `settings_of` gives them.
    """
    parts = json.dumps([model, one.prompt, settings, one.seed, one.index])
    return hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()


def settings_json(sampling: SamplingParams) -> str:
    """Sampling settings as the ledger spells them."""
    return json.dumps(asdict(sampling), sort_keys=True)


def utc_now() -> str:
    """The time as the ledger writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Ledger:
    """A ledger; see the module.

    Args:
        where: a path or a URL.
        readonly: it is replayed, or only looked at.

    Raises:
        RunError: of every method, if the database fails.
    """

    def __init__(self, where: str, *, readonly: bool = False):
        self.database = Database(where, readonly=readonly)
        self.readonly = readonly
        self._made = False
        self._named: set[str] = set()

    @property
    def place(self) -> str:
        """Where it is, for a reader; no password."""
        return self.database.place

    def ready(self) -> None:
        """Make it if it is not there yet."""
        file = self.database.file
        if self.readonly:
            if file is not None and not file.is_file():
                raise RunError(
                    "there is no such ledger",
                    where=str(file),
                    todo="name a file that a run has written: runs/ledger.sqlite",
                )
            return
        if not self._made or (file is not None and not file.exists()):
            with self.database.errors():
                self.database.engine.dispose()  # of a file that is gone
                self.database.create(TABLES)
            self._made = True
            self._named.clear()

    @contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """A connection that commits every statement at once."""
        with self.database.errors(), self.database.engine.connect() as opened:
            yield opened.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A connection that commits at the end, or nothing at all."""
        with self.database.errors(), self.database.engine.begin() as opened:
            yield opened

    def find(self, keys: Sequence[str]) -> dict[str, Completion]:
        """The samples it has of these, by key; some keys a statement.

        What a server would not or could not answer is looked for only in a replay.
        """
        columns = [samples.c.key, *(samples.c[name] for name in _SAMPLE)]
        found = {}
        with self.connection() as opened:
            for start in range(0, len(keys), LOOKUP):
                part = keys[start : start + LOOKUP]
                query = sa.select(*columns).where(samples.c.key.in_(part))
                for key, *values in opened.execute(query):
                    found[key] = self._sample(key, values)
        if self.readonly:
            return found
        return {k: sample for k, sample in found.items() if sample.finish not in _AGAIN}

    def unreadable(self, key: str, name: str, value: Any) -> RunError:
        """What to raise for a row that holds what it cannot; SQLite takes anything."""
        return RunError(
            f"a row of the ledger cannot be read: its {name} is of the type "
            f"{type(value).__name__}",
            where=f"{self.place}, table samples, key {key}",
            todo="delete that row; its sample is then drawn again",
        )

    def _sample(self, key: str, values: Sequence[Any]) -> Completion:
        for name, value, type_ in zip(_SAMPLE, values, _TYPES, strict=True):
            if not isinstance(value, type_):
                raise self.unreadable(key, name, value)
        return Completion(*values)

    @contextmanager
    def writing(self) -> Iterator[SampleWriter]:
        """A writer of samples."""
        writer = SampleWriter(self)
        try:
            yield writer
        finally:
            writer.close()

    def claims(self) -> Leases:
        """What tells other processes which samples are being paid for."""
        return Leases(self)

    def name(self, identity: str, name: str, **more: str | None) -> None:
        """Remember what a model is called, and what else a replay needs of it."""
        if identity in self._named and not more:
            return
        row = {"identity": identity, "name": name, "used_at": utc_now()}
        insert = self.database.insert(models, instead=bool(more))
        with self.connection() as opened:
            empty = dict.fromkeys(("weights", "stops", "files"))
            opened.execute(insert, {**empty, **row, **more})
        self._named.add(identity)

    @cached_property
    def insert_sample(self) -> Any:
        """The statement that keeps a sample; the first answer to a prompt wins.

        Compiled here: for each sample that would take longer than writing it.
        """
        dialect = self.database.engine.dialect
        names = ", ".join(f"'{name}'" for name in _AGAIN)
        insert = self.database.insert(
            samples, instead=sa.literal_column(f"samples.finish IN ({names})")
        )
        return insert.compile(dialect=dialect, column_keys=samples.columns.keys())


class SampleWriter:
    """Writes samples, each at once, on one connection."""

    def __init__(self, ledger: Ledger):
        self.ledger = ledger
        self.opened: sa.Connection | None = None
        self.last = time.monotonic()

    def write(
        self,
        key: str,
        model: str,
        one: SampleRequest,
        settings: str,
        sample: Completion,
    ) -> None:
        """Keep a sample; it is safe when this returns."""
        began, self.last = self.last, time.monotonic()
        row = {
            "key": key,
            "model": model,
            "prompt": one.prompt,
            "settings": settings,
            "seed": one.seed,
            "sample": one.index,
            **{name: getattr(sample, name) for name in _SAMPLE},
            "seconds": self.last - began,
            "created_at": utc_now(),
        }
        with self.ledger.database.errors():
            self.ledger.database.retried(lambda: self._insert(row))

    def _insert(self, row: Mapping[str, Any]) -> None:
        if self.opened is None or self.opened.invalidated:
            self.close()
            engine = self.ledger.database.engine
            self.opened = engine.connect().execution_options(
                isolation_level="AUTOCOMMIT"
            )
        insert = self.ledger.insert_sample
        values = tuple(row[n] for n in insert.positiontup) if insert.positional else row
        self.opened.exec_driver_sql(str(insert), values)

    def close(self) -> None:
        """Let the connection go."""
        if self.opened is not None:
            self.opened.close()
            self.opened = None
