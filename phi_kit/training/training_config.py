"""How a run trains, and the YAML file in which a probe passes that on."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from phi_kit.core.errors import RunError
from phi_kit.core.files import write_atomic
from phi_kit.core.params import Strict, read_value
from phi_kit.core.step_table import PROBE_SFT

RECIPE_FILE = "recipe.yaml"
# What the adapter depends on. The other fields say how the work is carried out.
OUTCOME_FIELDS = (
    "rank",
    "learning_rate",
    "epochs",
    "batch",
    "warmup",
    "max_row_tokens",
    "weights",
)
Switch = Literal["auto", "on", "off"]


class TrainingConfig(Strict):
    """How an adapter is trained.

    Defaults for a model of about 100M parameters: rank and learning rate are
    kit defaults (LoRA wants about ten times the full fine-tune's rate; tiny models
    take up to 1e-3). Clipping at 0.3 is QLoRA's
    (arXiv 2305.14314, section 4).
    """

    rank: int = Field(16, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    epochs: int = Field(3, ge=1)
    batch: int = Field(8, ge=1)
    warmup: float = Field(0.03, ge=0, lt=1)
    max_row_tokens: int = Field(512, ge=8)
    # Epochs of a family or source by name, in place of `epochs`; 0 leaves it out.
    weights: dict[str, float] = Field({})
    save_steps: int = Field(10, ge=1)  # a checkpoint every so many steps
    eval_steps: int = Field(0, ge=0)  # ask the held-out items so often; 0: at the end
    patience: int = Field(0, ge=0)  # stop after so many without a gain; 0: never
    gradient_checkpointing: Switch = "auto"
    dequantise: Switch = "auto"  # 4-bit weights once per run instead of each time
    report_to: list[str] = Field([])

    @field_validator("weights")
    @classmethod
    def _epochs(cls, weights: dict[str, float]) -> dict[str, float]:
        if wrong := {name: value for name, value in weights.items() if value < 0}:
            raise ValueError(f"epochs cannot be negative: {wrong}")
        return weights

    @model_validator(mode="after")
    def _can_stop(self) -> Self:
        if self.patience and not self.eval_steps:
            raise ValueError("patience needs eval_steps: how often to look")
        return self

    def outcome(self) -> dict[str, object]:
        """What the adapter depends on, by name."""
        return {name: getattr(self, name) for name in OUTCOME_FIELDS}

    def with_(self, **changes: object) -> TrainingConfig:
        """The training config alone, with other values, checked."""
        mine = {name: getattr(self, name) for name in TrainingConfig.model_fields}
        return TrainingConfig.model_validate({**mine, **changes})


def write_config(
    config: TrainingConfig, path: Path, *, why: Iterable[str] = ()
) -> None:
    """Write what decides an outcome as a section of a study file.

    Args:
        config: what was chosen.
        path: the file.
        why: lines of comment above it: how it was chosen.
    """
    from ruamel.yaml import YAML

    text = io.StringIO()
    YAML().dump(config.outcome(), text)
    head = "".join(f"# {line}\n" for line in why)
    write_atomic(path, head + text.getvalue())


def read_config(path: Path) -> TrainingConfig:
    """A config from its YAML file; what the file does not name has its default.

    Raises:
        RunError: there is no such file, or it holds no recipe.
    """
    try:
        return TrainingConfig.model_validate(
            read_value(path.read_text(encoding="utf-8"))
        )
    except (OSError, ValueError) as error:
        raise RunError(
            f"no recipe can be read: {error}",
            where=str(path),
            todo=f"run notebooks/{PROBE_SFT}.ipynb again: it writes that file",
        ) from None


def merge_configs(configs: Iterable[TrainingConfig]) -> TrainingConfig:
    """One config for the rows of several domains together.

    The largest rank; the geometric mean of the learning rates, for they are
    chosen on a logarithmic scale; everything else from the first. Each domain's
    rows keep their own epochs: those are given to the trainer by row.
    """
    from math import exp, log

    parts = list(configs)
    rates = [config.learning_rate for config in parts]
    middle = exp(sum(map(log, rates)) / len(rates))
    return parts[0].with_(
        rank=max(config.rank for config in parts),
        learning_rate=rates[0] if len(set(rates)) == 1 else float(f"{middle:.3g}"),
        max_row_tokens=max(config.max_row_tokens for config in parts),
    )
