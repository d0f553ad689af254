"""Record training runs in the ledger, and repeat them in a replay.

`train` is wrapped here from above: it knows of no ledger.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from phi_kit.cache import recordings
from phi_kit.core.errors import RunError, disk_errors
from phi_kit.core.files import digest_json, write_atomic
from phi_kit.core.paths import ledger_address
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.replay import ReplayedModel

from .encoding import TrainingRow, encode

T = TypeVar("T")
_ADAPTER_CONFIG = "adapter_config.json"


def recorded(
    kind: type[T], fields: type[BaseModel]
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Wrap `train` so that its runs are recorded in the ledger.

    A `ReplayedModel` is not trained: its recorded run is looked up, and the
    adapter's folder says which weights it stands for.

    Args:
        kind: the dataclass that `train` returns.
        fields: the pydantic model of training settings; other parameters of a step
            do not decide the outcome.
    """

    def decorate(train: Callable[..., T]) -> Callable[..., T]:
        @wraps(train)
        def run(
            student: LocalModel,
            rows: Sequence[TrainingRow],
            recipe: Any,
            *,
            out: Path,
            **more,
        ) -> T:
            deciding = {
                "name": out.name,  # names the initialisation
                **recipe.model_dump(mode="json", include=set(fields.model_fields)),
                **_deciding(more),
            }
            if isinstance(student, ReplayedModel):
                digest = _rows_digest(student, rows)
                return kind(**_repeat(student, out, rows=digest, recipe=deciding))
            outcome = train(student, rows, recipe, out=out, **more)
            _normalise_config(out)
            if student.identity and ledger_address():
                recordings.record_training(
                    student.identity,
                    out,
                    rows=_rows_digest(student, rows),
                    recipe=deciding,
                    outcome=asdict(outcome),
                )
            return outcome

        return run

    return decorate


def _rows_digest(student: LocalModel, rows: Sequence[TrainingRow]) -> str:
    """A digest of the encoded rows, in their order."""
    encoded = [encode(student, row) for row in rows]
    return digest_json([[row.ids, row.labels] for row in encoded])


def _repeat(
    student: ReplayedModel, out: Path, *, rows: str, recipe: dict[str, Any]
) -> dict[str, Any]:
    """The outcome of a recorded training run, as JSON; fills the adapter's folder.

    Raises:
        RunError: there is no such run.
    """
    key = recordings.training_key(student.identity, rows, recipe)
    outcome = recordings.repeat_training(key, out)
    if outcome is None:
        raise RunError(
            f"the ledger has no training run '{out.name}' of {student.name} on "
            "these rows, and a replay trains nothing",
            where=json.dumps(recipe),
            todo="replay the study with the parameters it was recorded with, or "
            "run it with the model",
        )
    return outcome


def _deciding(more: dict[str, Any]) -> dict[str, Any]:
    """The further arguments that decide the outcome: plain values, no callbacks."""
    return {
        name: value.tolist() if hasattr(value, "tolist") else value
        for name, value in more.items()
        if not (value is None or isinstance(value, Path) or callable(value))
        and not is_dataclass(value)
    }


def _normalise_config(out: Path) -> None:
    """Write the adapter's configuration the same way every time.

    peft lists the trained modules in the order of a set, which differs between
    two processes, and with it the digest of the file.
    """
    path = out / _ADAPTER_CONFIG
    if path.is_file():
        with disk_errors(out):
            config = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(config.get("target_modules"), list):
                config["target_modules"] = sorted(config["target_modules"])
            write_atomic(path, json.dumps(config, indent=2, sort_keys=True) + "\n")
