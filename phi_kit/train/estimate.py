"""How much memory training will take on this machine, measured before it starts.

The same terms as on a GPU (`footprint`), but what a token costs is measured on the
model itself, and what is in use already is asked of the system.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from phi_kit.core.errors import DataError
from phi_kit.models.loading import Student, device

from . import layout, memory, stepping
from .footprint import ADAPTER_8BIT, SLACK
from .fused import extra_bytes, fused
from .ladder import Rung
from .loss import block_bytes
from .memory import Fit
from .recipe import Recipe
from .rows import Encoded, Row, encode
from .running import adapted, keeps_floats
from .schedule import micro_batches

# What the allocator holds beyond what it was asked for. glibc: 16 to 25 % in the runs
# of tests/train/peak_run.py, holes between arrays of many sizes that come and go.
HOLES = {"cpu": 0.2, "cuda": SLACK}


@dataclass(frozen=True)
class Peak:
    """Bytes by term, when most is in use.

    Attributes:
        before: in use already, the model included.
        floats: float copies of the packed weights.
        adapter: its weights, gradients and the optimiser's moments.
        activations: kept for the backward pass, and one block's gradients.
        head: logits of a block, and their gradient.
        fit: how steps are cut.
        kept: bytes a token takes if every block keeps its activations.
        twice: bytes it takes if they are computed twice.
    """

    before: int
    floats: int
    adapter: int
    activations: int
    head: int
    fit: Fit
    kept: int
    twice: int

    @property
    def total(self) -> int:
        """What will be in use."""
        return self.before + self.more

    @property
    def more(self) -> int:
        """What training adds to it."""
        return self._held(self.adapter, self.activations)

    def of(self, rung: Rung, recipe: Recipe) -> int:
        """What training would add at another rung of the ladder.

        Args:
            rung: of the same model.
            recipe: the one that was predicted for.
        """
        each = self.twice if rung.checkpointing else self.kept
        adapter = self.adapter * rung.rank // recipe.rank
        return self._held(adapter, rung.micro_tokens * each)

    def _held(self, adapter: int, activations: int) -> int:
        """Bytes the allocator holds for all that training lays out."""
        asked = self.floats + adapter + activations + self.head
        return int(asked * (1 + HOLES[device()]))


def predicted(student: Student, recipe: Recipe, *, rows: Sequence[Row]) -> Peak:
    """The peak of training on such rows; nothing is trained.

    Args:
        student: the frozen model.
        recipe: rank, batch, whether weights are kept as floats.
        rows: those of the run, or a sample of them.

    Raises:
        DataError: every row is too long.
    """
    encoded = [encode(student, row) for row in rows]
    encoded = [row for row in encoded if len(row.ids) <= recipe.max_row_tokens]
    if not encoded:
        raise DataError(
            f"each of {len(rows)} rows is longer than {recipe.max_row_tokens} tokens",
            where="max_row_tokens",
            todo="raise it: rows are left out, never cut",
        )
    longest = max(len(row.ids) for row in encoded)
    with ExitStack() as stack:
        model = stack.enter_context(adapted(student, recipe.rank))
        floats = extra_bytes(model) if keeps_floats(model, recipe) else 0
        stack.enter_context(fused(model, kept=False))
        apart = layout.rows_stay_apart(model, longest=longest)
        if apart:
            stack.enter_context(layout.row_by_row(student.model))
        model.train()
        fit = memory.fit(model, recipe, longest=longest, padded=not apart)
        kept = fit.per_token
        if fit.checkpointing:
            kept = memory.saved_per_token(model)
        twice = memory.computed_twice(model, kept)
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    stepping.trainer_class()  # what the Trainer imports counts as well
    memory.release()
    # Only now: libraries have by then laid out what they keep for themselves.
    before = int(1e6 * memory.used())
    part = _largest(encoded, recipe.batch, fit)
    tokens = sum(len(row.ids) for row in part)
    config = student.model.config.get_text_config()
    positions = sum(row.trained for row in part) * config.vocab_size
    each = _gradient(config, student)
    return Peak(
        before=before,
        floats=floats,
        adapter=(memory.PER_WEIGHT if device() == "cpu" else ADAPTER_8BIT) * trained,
        activations=tokens * (fit.per_token + each),
        head=block_bytes(positions, student.model.dtype.itemsize),
        fit=fit,
        kept=kept + each,
        twice=twice + each,
    )


def _largest(rows: Sequence[Encoded], batch: int, fit: Fit) -> list[Encoded]:
    """The largest micro-batch of the step with the longest rows."""
    step = sorted(rows, key=lambda row: -len(row.ids))[:batch]
    parts = micro_batches(step, tokens=fit.tokens, padded=fit.padded)
    return max(parts, key=lambda part: sum(len(row.ids) for row in part))


def _gradient(config: Any, student: Student) -> int:
    """Bytes per token of one block's gradients: gate, up, their product, the input."""
    size = student.model.dtype.itemsize
    return size * (3 * config.intermediate_size + 2 * config.hidden_size)
