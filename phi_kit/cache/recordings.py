"""What the ledger keeps for a replay besides samples: tokenizers and training runs.

A replay renders prompts and counts tokens without weights, so the small files of a
model's folder are kept, compressed, and so is what every training run came to.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from phi_kit.core.errors import RunError, did_you_mean
from phi_kit.core.files import digest, digest_json
from phi_kit.core.weight_records import write_weight_record
from phi_kit.models.model_dir import cache_folder, config_files, identity, publish

from .schema import files, models, trainings
from .store import Ledger, open_ledger, utc_now

if TYPE_CHECKING:
    from phi_kit.inference.local.model import LocalModel

_NF4 = "/nf4-"  # in an identity: how `loading.load` names the precision


@dataclass(frozen=True)
class RecordedModel:
    """A model as it was recorded.

    Attributes:
        name: what studies call it.
        identity: with its precision, as samples have it.
        weights: identity of its folder.
        stops: tokens that end a turn.
        files: key of its small files.
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
        adapter: identity of what came out.
        weights: digests of its weight files by name.
        files: key of its small files.
        trained: what `train` returned, as JSON.
    """

    adapter: str
    weights: dict[str, str]
    files: str
    trained: dict[str, Any]


def record_model(student: LocalModel, folder: Path) -> None:
    """Keep what a replay needs of a model that was loaded."""
    ledger = open_ledger()
    ledger.name(
        student.identity,
        student.name,
        weights=identity(folder),
        stops=json.dumps(sorted(student.stop_ids)),
        files=_record_files(ledger, folder, config_files(folder)),
    )


def recorded_model(
    ledger: Ledger, name: str, *, four_bit: bool | None = None
) -> RecordedModel:
    """The model that studies call so; the one used last, if there were several.

    Args:
        ledger: where to look.
        name: as a study file has it.
        four_bit: in which precision; in any if not given.

    Raises:
        RunError: it was not recorded.
    """
    row = _last(
        ledger,
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
    return _last(open_ledger(), name, lambda row: not row.files).identity


def _last(ledger: Ledger, name: str, fits: Callable[[sa.Row], Any]) -> sa.Row:
    with ledger.connection() as opened:
        query = sa.select(models).order_by(models.c.used_at)
        known = [row for row in opened.execute(query) if fits(row)]
    for row in reversed(known):
        if row.name == name:
            return row
    raise RunError(
        f"the ledger has not recorded a model '{name}'"
        f"{did_you_mean(name, {row.name for row in known})}",
        where=ledger.place,
        todo="replay a study whose `model:` was recorded, or run it with the model",
    )


def training_key(model: str, rows: str, recipe: Mapping[str, Any]) -> str:
    """Names a training run.

    Args:
        model: identity of what is trained.
        rows: digest of the encoded rows, in their order.
        recipe: whatever else decides what comes out.
    """
    return digest_json([model, rows, recipe])


def record_training(
    student: LocalModel,
    out: Path,
    *,
    rows: str,
    recipe: Mapping[str, Any],
    trained: Mapping[str, Any],
) -> None:
    """Remember what a training run came to.

    Args:
        student: what was trained.
        out: the adapter's folder.
        rows: digest of the encoded rows.
        recipe: whatever else decides what comes out, `rng_seed` among it.
        trained: what `train` returned, as JSON.
    """
    ledger, small = open_ledger(), config_files(out, card=True)
    rest = sorted(path for path in out.iterdir() if path.is_file())
    weights = [path for path in rest if path not in small]
    row = {
        "key": training_key(student.identity, rows, recipe),
        "model": student.identity,
        "name": out.name,
        "recipe": json.dumps(recipe, sort_keys=True),
        "rng_seed": recipe["rng_seed"],
        "rows": rows,
        "adapter": identity(out),
        "weights": json.dumps({path.name: digest(path) for path in weights}),
        "files": _record_files(ledger, out, small),
        "trained": json.dumps(trained),
        "created_at": utc_now(),
    }
    # On a GPU the same run may come out otherwise: the last one counts.
    with ledger.connection() as opened:
        opened.execute(ledger.database.insert(trainings, instead=True), row)


def recorded_training(ledger: Ledger, key: str) -> RecordedTraining | None:
    """A recorded training run."""
    with ledger.connection() as opened:
        query = sa.select(trainings).where(trainings.c.key == key)
        row = opened.execute(query).one_or_none()
    if row is None:
        return None
    return RecordedTraining(
        row.adapter, json.loads(row.weights), row.files, json.loads(row.trained)
    )


def recorded_folder(name: str) -> Path:
    """The recorded small files of a model as a folder, in the cache; no weights.

    Raises:
        RunError: the model was not recorded.
        ModelError: the cache cannot be written.
    """
    ledger = open_ledger()
    recorded = recorded_model(ledger, name)

    def fill(made: Path, _: Path) -> dict[str, str]:
        extract_files(ledger, recorded.files, made)
        write_weight_record(made, recorded.weights, {})
        return {"source": f"a recording of {name}"}

    return publish(cache_folder().parent / "replayed" / recorded.weights, fill)


def extract_files(ledger: Ledger, key: str, folder: Path) -> None:
    """Write recorded files into a folder."""
    with ledger.connection() as opened:
        data = opened.scalar(sa.select(files.c.data).where(files.c.key == key))
    if data is None:
        raise RunError(
            "the ledger has lost files that it needs",
            where=ledger.place,
            todo="copy it again, or run the study with the model",
        )
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        archive.extractall(folder, filter="data")


def _record_files(ledger: Ledger, folder: Path, paths: Iterable[Path]) -> str:
    """Keep small files, if nobody has; gives their key."""
    contents = {path.name: path.read_bytes() for path in sorted(paths)}
    total = hashlib.sha256()
    for name, data in contents.items():
        total.update(f"{name}\0{len(data)}\0".encode() + data)
    key = total.hexdigest()[:32]
    with ledger.connection() as opened:
        if opened.scalar(sa.select(files.c.key).where(files.c.key == key)) is None:
            row = {"key": key, "data": _archive(contents)}
            opened.execute(ledger.database.insert(files), row)
    return key


def _archive(contents: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", compresslevel=6) as archive:
        for name, data in contents.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()
