"""The ledger: every sample ever paid for, so that none is paid for twice.

The key of a sample is a digest of everything that decides it: the model's identity
(weights, precision, adapter, tokenizer and template), the rendered prompt, the
sampling settings, the seed of its random stream (which names the study's
`rng_seed` and what the sample is for) and its index. Change any of them and it is
another sample.

The ledger is the file `runs/ledger.sqlite`. `PHI_KIT_LEDGER` names another file, a
PostgreSQL database by URL, or `off`; see `database` for network disks. Every
sample is written before the sampler is asked for the next one, so that a kill at
any moment loses no finished sample.

Not covered: samples are never removed; there is no pruning.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from phi_kit.core.errors import RunError
from phi_kit.core.paths import ledger_address

from .database import Database
from .schema import TABLES, models, samples

KEYS_PER_QUERY = 2000  # SQLite allows 32,766 values in one statement

# Finishes without an answer and without a price: these prompts are asked again, for
# the server may have been mended. The row stays for a replay, until there is a
# better one.
_ASKED_AGAIN = ("refused", "too_long", "failed")


class CachedSample(NamedTuple):
    """A sample as the ledger holds it; `inference.types.Completion` says more."""

    text: str
    tokens: int
    finish: str
    logprob: float | None
    cost: float | None


_TYPES = (str, int, str, float | int | None, float | int | None)


def open_ledger(*, readonly: bool = False) -> Ledger:
    """The ledger of this process, which `ledger_address` names; it is made if need be.

    Args:
        readonly: it must be there and is not written to.

    Raises:
        RunError: it cannot be opened, or created.
    """
    ledger = _ledger(ledger_address(), readonly, os.getpid())
    ledger.prepare()
    return ledger


@lru_cache(maxsize=8)
def _ledger(address: str, readonly: bool, _process: int) -> Ledger:
    return Ledger(address, readonly=readonly)


def sample_key(model: str, *, prompt: str, settings: str, seed: int, index: int) -> str:
    """128 bits, in hex, that name a sample.

    Args:
        model: identity of the model.
        prompt: as rendered.
        settings: as `settings_json` gives them.
        seed: of the sample's random stream.
        index: of the sample among those of its prompt.
    """
    parts = json.dumps([model, prompt, settings, seed, index])
    return hashlib.blake2b(parts.encode(), digest_size=16).hexdigest()


def settings_json(sampling: Mapping[str, Any]) -> str:
    """Sampling settings as the ledger spells them."""
    return json.dumps(sampling, sort_keys=True)


def utc_now() -> str:
    """The time as the ledger writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Ledger:
    """A ledger; see the module.

    Args:
        address: a path or a URL.
        readonly: it is replayed, or only looked at.

    Raises:
        RunError: of every method, if the database fails.
    """

    def __init__(self, address: str, *, readonly: bool = False):
        self.database = Database(address, readonly=readonly)
        self.readonly = readonly
        self._created = False
        self._recorded_models: set[str] = set()

    @property
    def location(self) -> str:
        """The file or the URL without its password, for messages."""
        return self.database.location

    def prepare(self) -> None:
        """Create the tables if they are not there yet."""
        file = self.database.file
        if self.readonly:
            if file is not None and not file.is_file():
                raise RunError(
                    "there is no such ledger",
                    where=str(file),
                    todo="name a file that a run has written: runs/ledger.sqlite",
                )
            return
        if not self._created or (file is not None and not file.exists()):
            with self.database.errors():
                self.database.engine.dispose()  # connections to a deleted file
                self.database.create(TABLES)
            self._created = True
            self._recorded_models.clear()

    def find(self, keys: Sequence[str]) -> dict[str, CachedSample]:
        """The samples with these keys that are in the ledger, by key.

        Samples that a server refused or failed to give are only found in a replay.
        """
        columns = [samples.c.key, *(samples.c[name] for name in CachedSample._fields)]
        cached = {}
        with self.database.connection() as connection:
            for start in range(0, len(keys), KEYS_PER_QUERY):
                some = keys[start : start + KEYS_PER_QUERY]
                query = sa.select(*columns).where(samples.c.key.in_(some))
                for key, *values in connection.execute(query):
                    cached[key] = self._checked(key, values)
        if self.readonly:
            return cached
        return {k: s for k, s in cached.items() if s.finish not in _ASKED_AGAIN}

    def unreadable_row(self, key: str, name: str, value: Any) -> RunError:
        """The error for a value of the wrong type; SQLite takes any in any column."""
        return RunError(
            f"a row of the ledger cannot be read: its {name} is of the type "
            f"{type(value).__name__}",
            where=f"{self.location}, table samples, key {key}",
            todo="delete that row; its sample is then drawn again",
        )

    def _checked(self, key: str, values: Sequence[Any]) -> CachedSample:
        fields = CachedSample._fields
        for name, value, type_ in zip(fields, values, _TYPES, strict=True):
            if not isinstance(value, type_):
                raise self.unreadable_row(key, name, value)
        return CachedSample(*values)

    @contextmanager
    def writer(self) -> Iterator[SampleWriter]:
        """A writer of samples."""
        writer = SampleWriter(self)
        try:
            yield writer
        finally:
            writer.close()

    def record_model(self, identity: str, name: str, **more: str | None) -> None:
        """Record what a model is called, and what else a replay needs of it."""
        if identity in self._recorded_models and not more:
            return
        row = {"identity": identity, "name": name, "used_at": utc_now()}
        insert = self.database.insert(models, replace=bool(more))
        with self.database.connection() as connection:
            empty = dict.fromkeys(("weights", "stops", "files"))
            connection.execute(insert, {**empty, **row, **more})
        self._recorded_models.add(identity)

    @cached_property
    def insert_sample(self) -> Any:
        """The statement that writes a sample; the first answer to a prompt stays.

        Compiled here: for each sample that would take longer than writing it.
        """
        dialect = self.database.engine.dialect
        names = ", ".join(f"'{name}'" for name in _ASKED_AGAIN)
        insert = self.database.insert(
            samples, replace=sa.literal_column(f"samples.finish IN ({names})")
        )
        return insert.compile(dialect=dialect, column_keys=samples.columns.keys())


class SampleWriter:
    """Writes samples, each at once, on one connection."""

    def __init__(self, ledger: Ledger):
        self.ledger = ledger
        self._connection: sa.Connection | None = None
        self._last_write = time.monotonic()

    def write(
        self,
        key: str,
        values: Sequence[Any],
        *,
        model: str,
        prompt: str,
        settings: str,
        seed: int,
        index: int,
    ) -> None:
        """Write a sample; it is safe when this returns.

        Args:
            key: as `sample_key` made it of all that follows.
            values: of the fields of `CachedSample`.
            model: identity of the model.
            prompt: as rendered.
            settings: as `settings_json` gives them.
            seed: of the sample's random stream.
            index: of the sample among those of its prompt.
        """
        before, self._last_write = self._last_write, time.monotonic()
        row = {
            "key": key,
            "model": model,
            "prompt": prompt,
            "settings": settings,
            "seed": seed,
            "sample": index,
            **dict(zip(CachedSample._fields, values, strict=True)),
            "seconds": self._last_write - before,
            "created_at": utc_now(),
        }
        with self.ledger.database.errors():
            self.ledger.database.with_retries(lambda: self._insert(row))

    def _insert(self, row: Mapping[str, Any]) -> None:
        if self._connection is None or self._connection.invalidated:
            self.close()
            engine = self.ledger.database.engine
            self._connection = engine.connect().execution_options(
                isolation_level="AUTOCOMMIT"
            )
        insert = self.ledger.insert_sample
        values = tuple(row[n] for n in insert.positiontup) if insert.positional else row
        self._connection.exec_driver_sql(str(insert), values)

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
