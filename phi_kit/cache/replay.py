"""A model that says again what a ledger has recorded, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from phi_kit.core.weight_records import write_weight_record
from phi_kit.inference.draw import unrecorded
from phi_kit.inference.local.model import LocalModel
from phi_kit.inference.types import Completion, SampleRequest, SamplingParams
from phi_kit.models.model_dir import identity

from . import recordings
from .store import open_ledger

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class ModelStub:
    """Stands where the weights would be, for whoever only asks for their shape."""

    config: Any

    def get_memory_footprint(self) -> int:
        """Bytes."""
        return 0

    def get_input_embeddings(self) -> Any:
        """What has a `weight` of a shape, (tokens, width)."""
        config = self.config.get_text_config()
        shape = (config.vocab_size, config.hidden_size)
        return SimpleNamespace(weight=SimpleNamespace(shape=shape))


@dataclass(frozen=True)
class ReplayedModel(LocalModel):
    """A recorded student: it renders and counts tokens, and has no weights."""

    stops: frozenset[int] = frozenset()

    @property
    def about(self) -> str:
        """What it takes, for a reader."""
        return "no model: its samples come from the ledger"

    @property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end a turn, as they were recorded."""
        return self.stops

    def stream(
        self, asked: Sequence[SampleRequest], sampling: SamplingParams
    ) -> Iterator[tuple[int, Completion]]:
        """Nothing can be carried out.

        Raises:
            RunError: it names the first sample that is asked for.
        """
        for one in asked:
            raise unrecorded(self.name, one)
        yield from ()

    @contextmanager
    def adapter(self, folder: Path | None) -> Iterator[LocalModel]:
        """The student that a recorded adapter made of it."""
        if folder is None:
            yield self
            return
        name, tuned = f"{self.name}+{folder.name}", identity(folder)
        yield replace(self, name=name, identity=f"{self.identity}+{tuned}")


def replayed(
    name: str, folder: Path, tokenizer: PreTrainedTokenizerBase, *, four_bit: bool
) -> ReplayedModel:
    """The student of that name.

    Args:
        name: as a study file has it.
        folder: its recorded files.
        tokenizer: made of them.
        four_bit: in which precision.

    Raises:
        RunError: it was not recorded in this precision.
    """
    from transformers import AutoConfig

    found = recordings.recorded_model(open_ledger(), name, four_bit=four_bit)
    shape = ModelStub(AutoConfig.from_pretrained(folder))
    return ReplayedModel(name, shape, tokenizer, found.identity, found.stops)


def training(key: str, out: Path) -> dict[str, Any] | None:
    """What a recorded training run came to; its adapter's folder, without weights.

    Args:
        key: of the run.
        out: the folder that is filled.

    Returns:
        What `train` returned, as JSON; `None` if the run was not recorded.
    """
    ledger = open_ledger()
    if (found := recordings.recorded_training(ledger, key)) is None:
        return None
    recordings.extract_files(ledger, found.files, out)
    write_weight_record(out, found.adapter, found.weights)
    return found.trained
