"""What a replay needs besides samples: tokenizers and outcomes of training runs.

A replay renders prompts and counts tokens without weights, so the small files of a
model's folder are kept in the ledger, compressed, and so is the outcome of every
training run.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from phi_kit.core.errors import RunError, did_you_mean
from phi_kit.core.files import digest, digest_json
from phi_kit.core.weight_records import write_weight_record
from phi_kit.models.model_dir import cache_folder, config_files, identity, publish

from .schema import files, models, trainings
from .store import Ledger, open_ledger, utc_now

_NF4 = "/nf4-"  # in an identity: how `completion.load` names the precision


@dataclass(frozen=True)
class RecordedModel:
    """A model as it was recorded.

    Attributes:
        name: as in study files.
        identity: with its precision, as samples have it.
        weights: identity of its folder.
        stops: ids of the tokens that end a turn.
        files: key of its configuration and tokenizer files.
    """

    name: str
    identity: str
    weights: str
    stops: frozenset[int]
    files: str


@dataclass(frozen=True)
class RecordedTraining:
    """A training run as it was recorded.

    Attributes:
        adapter: identity of the trained adapter.
        weights: digests of its weight files by name.
        files: key of its other files.
        outcome: what `train` returned, as JSON.
    """

    adapter: str
    weights: dict[str, str]
    files: str
    outcome: dict[str, Any]


def record_model(
    name: str, model_identity: str, stop_ids: frozenset[int], folder: Path
) -> None:
    """Record what a replay needs of a model that was loaded.

    Args:
        name: as in study files.
        model_identity: with its precision, as samples have it.
        stop_ids: ids of the tokens that end a turn.
        folder: of the model.
    """
    ledger = open_ledger()
    ledger.record_model(
        model_identity,
        name,
        weights=identity(folder),
        stops=json.dumps(sorted(stop_ids)),
        files=_record_files(ledger, config_files(folder)),
    )


def recorded_model(name: str, *, four_bit: bool | None = None) -> RecordedModel:
    """The recorded model of that name; the one used last, if there were several.

    Args:
        name: as in study files.
        four_bit: whether in NF4; in any precision if not given.

    Raises:
        RunError: it was not recorded.
    """
    row = _last_used(
        name,
        lambda row: row.files and four_bit in (None, _NF4 in row.identity),
    )
    stops = frozenset(json.loads(row.stops))
    return RecordedModel(name, row.identity, row.weights, stops, row.files)


def recorded_identity(name: str) -> str:
    """The identity of a model that was only asked: one behind a URL.

    Raises:
        RunError: it was not recorded.
    """
    return _last_used(name, lambda row: not row.files).identity


def _last_used(name: str, accept: Callable[[sa.Row], Any]) -> sa.Row:
    ledger = open_ledger(readonly=True)
    with ledger.database.connection() as connection:
        query = sa.select(models).order_by(models.c.used_at)
        recorded = [row for row in connection.execute(query) if accept(row)]
    for row in reversed(recorded):
        if row.name == name:
            return row
    raise RunError(
        f"the ledger has not recorded a model '{name}'"
        f"{did_you_mean(name, {row.name for row in recorded})}",
        where=ledger.location,
        todo="replay a study whose `model:` was recorded, or run it with the model",
    )


def training_key(model: str, rows: str, recipe: Mapping[str, Any]) -> str:
    """The key of a training run.

    Args:
        model: identity of the model that is trained.
        rows: digest of the encoded rows, in their order.
        recipe: everything else that decides the outcome.
    """
    return digest_json([model, rows, recipe])


def record_training(
    model: str,
    out: Path,
    *,
    rows: str,
    recipe: Mapping[str, Any],
    outcome: Mapping[str, Any],
) -> None:
    """Record the outcome of a training run.

    Args:
        model: identity of the model that was trained.
        out: the adapter's folder.
        rows: digest of the encoded rows.
        recipe: everything else that decides the outcome, `rng_seed` among it.
        outcome: what `train` returned, as JSON.
    """
    ledger, small = open_ledger(), config_files(out, card=True)
    others = sorted(path for path in out.iterdir() if path.is_file())
    weights = [path for path in others if path not in small]
    row = {
        "key": training_key(model, rows, recipe),
        "model": model,
        "name": out.name,
        "recipe": json.dumps(recipe, sort_keys=True),
        "rng_seed": recipe["rng_seed"],
        "rows": rows,
        "adapter": identity(out),
        "weights": json.dumps({path.name: digest(path) for path in weights}),
        "files": _record_files(ledger, small),
        "trained": json.dumps(outcome),
        "created_at": utc_now(),
    }
    # On a GPU the same run may come out otherwise: the last one counts.
    with ledger.database.connection() as connection:
        connection.execute(ledger.database.insert(trainings, replace=True), row)


def repeat_training(key: str, out: Path) -> dict[str, Any] | None:
    """Repeat a recorded training run: fill its adapter's folder, without weights.

    Args:
        key: as `training_key` made it.
        out: the folder that is filled.

    Returns:
        What `train` returned, as JSON; `None` if the run was not recorded.
    """
    ledger = open_ledger(readonly=True)
    if (run := _recorded_training(ledger, key)) is None:
        return None
    _extract_files(ledger, run.files, out)
    write_weight_record(out, run.adapter, run.weights)
    return run.outcome


def _recorded_training(ledger: Ledger, key: str) -> RecordedTraining | None:
    with ledger.database.connection() as connection:
        query = sa.select(trainings).where(trainings.c.key == key)
        row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return RecordedTraining(
        row.adapter, json.loads(row.weights), row.files, json.loads(row.trained)
    )


def recorded_folder(name: str) -> Path:
    """A model's recorded files as a folder in the cache, without weights.

    Raises:
        RunError: the model was not recorded.
        ModelError: the cache cannot be written.
    """
    model = recorded_model(name)

    def fill(folder: Path, _: Path) -> dict[str, str]:
        _extract_files(open_ledger(readonly=True), model.files, folder)
        write_weight_record(folder, model.weights, {})
        return {"source": f"a recording of {name}"}

    return publish(cache_folder().parent / "replayed" / model.weights, fill)


def _extract_files(ledger: Ledger, key: str, folder: Path) -> None:
    with ledger.database.connection() as connection:
        data = connection.scalar(sa.select(files.c.data).where(files.c.key == key))
    if data is None:
        raise RunError(
            "the ledger has lost files that it needs",
            where=ledger.location,
            todo="copy it again, or run the study with the model",
        )
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        archive.extractall(folder, filter="data")


def _record_files(ledger: Ledger, paths: Iterable[Path]) -> str:
    """Record small files, unless they are recorded already; returns their key."""
    contents = {path.name: path.read_bytes() for path in sorted(paths)}
    total = hashlib.sha256()
    for name, data in contents.items():
        total.update(f"{name}\0{len(data)}\0".encode() + data)
    key = total.hexdigest()[:32]
    with ledger.database.connection() as connection:
        if connection.scalar(sa.select(files.c.key).where(files.c.key == key)) is None:
            row = {"key": key, "data": _archive(contents)}
            connection.execute(ledger.database.insert(files), row)
    return key


def _archive(contents: Mapping[str, bytes]) -> bytes:
    """A gzipped tar archive of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=6) as archive:
        for name, data in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
