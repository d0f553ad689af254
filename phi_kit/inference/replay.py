"""Recorded models: they repeat what a ledger has recorded, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from phi_kit.cache import recordings
from phi_kit.models.loading import load_tokenizer
from phi_kit.models.model_dir import identity

from .draw import missing_sample_error
from .endpoint.client import Endpoint
from .local.model import LocalModel
from .types import Completion, SampleRequest, SamplingParams


@dataclass(frozen=True)
class ModelStub:
    """Stub model without weights; exposes config and embedding shape."""

    config: Any

    def get_memory_footprint(self) -> int:
        """Bytes."""
        return 0

    def get_input_embeddings(self) -> Any:
        """An object whose `weight` has a shape, (tokens, width)."""
        config = self.config.get_text_config()
        shape = (config.vocab_size, config.hidden_size)
        return SimpleNamespace(weight=SimpleNamespace(shape=shape))


@dataclass(frozen=True)
class ReplayedModel(LocalModel):
    """A recorded local model: it renders and counts tokens, and has no weights."""

    recorded: ClassVar[bool] = True  # for `draw`: the ledger is only read

    stops: frozenset[int] = frozenset()

    @property
    def about(self) -> str:
        """Its memory, in a few words for a reader."""
        return "no model: its samples come from the ledger"

    @property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end a turn, as they were recorded."""
        return self.stops

    def stream(
        self, requests: Sequence[SampleRequest], sampling: SamplingParams
    ) -> Iterator[tuple[int, Completion]]:
        """Refuse to draw.

        Raises:
            RunError: it names the first sample that is asked for.
        """
        for request in requests:
            raise missing_sample_error(self.name, request)
        yield from ()

    @contextmanager
    def adapter(self, folder: Path | None) -> Iterator[LocalModel]:
        """The model that a recorded adapter made of it."""
        if folder is None:
            yield self
            return
        name, tuned = f"{self.name}+{folder.name}", identity(folder)
        yield replace(self, name=name, identity=f"{self.identity}+{tuned}")


class ReplayedEndpoint(Endpoint):
    """A recorded model behind a URL, which is not contacted."""

    recorded: ClassVar[bool] = True

    @cached_property
    def identity(self) -> str:
        """The identity that the server had when it was recorded.

        Raises:
            RunError: it was not recorded.
        """
        return recordings.recorded_identity(self.name)

    def stream(
        self, requests: Sequence[SampleRequest], sampling: SamplingParams
    ) -> Iterator[tuple[int, Completion]]:
        """Refuse to draw, as `ReplayedModel.stream` does."""
        for request in requests:
            raise missing_sample_error(self.name, request)
        yield from ()


def load_recorded(name: str, *, four_bit: bool) -> ReplayedModel:
    """The recorded local model of that name.

    Raises:
        RunError: it was not recorded in this precision.
    """
    from transformers import AutoConfig

    folder = recordings.recorded_folder(name)
    tokenizer = load_tokenizer(name, folder)
    model = recordings.recorded_model(name, four_bit=four_bit)
    stub = ModelStub(AutoConfig.from_pretrained(folder))
    return ReplayedModel(name, stub, tokenizer, model.identity, stops=model.stops)
