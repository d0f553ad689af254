"""Training runs in the ledger: kept as they end, and repeated in a replay."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from phi_kit.core.errors import RunError, disk_errors
from phi_kit.core.files import digest_json, write_atomic
from phi_kit.core.paths import ledger_address
from phi_kit.core.replay_mode import replayed_ledger

from .encoding import TrainingRow, encode

if TYPE_CHECKING:
    from pydantic import BaseModel

    from phi_kit.inference.local.model import LocalModel

T = TypeVar("T")
_CONFIG = "adapter_config.json"


def recorded(
    kind: type[T], fields: type[BaseModel]
) -> Callable[[Callable[..., T]], Callable[..., T]]:
    """Make of `train` a function whose runs the ledger knows.

    Every run is kept with what it came to. In a replay nothing is trained: the
    run is looked up, and the adapter's folder says which weights it stands for.

    Args:
        kind: the dataclass that `train` returns.
        fields: the model of recipes; what a step's parameters have besides
            decides nothing.
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
            decides = {
                "name": out.name,  # names the initialisation
                **recipe.model_dump(mode="json", include=set(fields.model_fields)),
                **_deciding(more),
            }
            record = _Record.of(student, rows, decides, out=out)
            if record and replayed_ledger():
                return kind(**record.repeated())
            done = train(student, rows, recipe, out=out, **more)
            _settle(out)
            if record:
                record.keep(asdict(done))
            return done

        return run

    return decorate


@dataclass(frozen=True)
class _Record:
    """A training run as the ledger knows it.

    Attributes:
        student: what is trained.
        out: the adapter's folder.
        rows: digest of the encoded rows.
        recipe: whatever else decides what comes out.
    """

    student: LocalModel
    out: Path
    rows: str
    recipe: dict[str, Any]

    @classmethod
    def of(
        cls,
        student: LocalModel,
        rows: Sequence[TrainingRow],
        recipe: dict[str, Any],
        *,
        out: Path,
    ) -> _Record | None:
        """The record of a run; `None` if there is no ledger, or no identity."""
        if not (student.identity and ledger_address()):
            return None
        encoded = [encode(student, row) for row in rows]
        digest = digest_json([[row.ids, row.labels] for row in encoded])
        return cls(student, out, digest, recipe)

    def repeated(self) -> dict[str, Any]:
        """What the recorded run came to, as JSON.

        Raises:
            RunError: there is no such run.
        """
        from phi_kit.cache import recordings, replay

        key = recordings.training_key(self.student.identity, self.rows, self.recipe)
        found = replay.training(key, self.out)
        if found is None:
            raise RunError(
                f"the ledger has no training run '{self.out.name}' of "
                f"{self.student.name} on these rows, and a replay trains nothing",
                where=json.dumps(self.recipe),
                todo="replay the study with the parameters it was recorded with, or "
                "run it with the model",
            )
        return found

    def keep(self, trained: dict[str, Any]) -> None:
        """Write it into the ledger."""
        from phi_kit.cache import recordings

        recordings.record_training(
            self.student, self.out, rows=self.rows, recipe=self.recipe, trained=trained
        )


def _deciding(more: dict[str, Any]) -> dict[str, Any]:
    """Further arguments that are plain values: what surrounds a run decides nothing."""
    return {
        name: value.tolist() if hasattr(value, "tolist") else value
        for name, value in more.items()
        if not (value is None or isinstance(value, Path) or callable(value))
        and not is_dataclass(value)
    }


def _settle(out: Path) -> None:
    """Write the adapter's configuration the same way every time.

    peft lists the trained modules in the order of a set, which differs between
    two processes, and with it everything that is known by the file's digest.
    """
    path = out / _CONFIG
    if path.is_file():
        with disk_errors(out):
            config = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(config.get("target_modules"), list):
                config["target_modules"] = sorted(config["target_modules"])
            write_atomic(path, json.dumps(config, indent=2, sort_keys=True) + "\n")
