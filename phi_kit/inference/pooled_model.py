"""A model that several workers hold: it is asked like any other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phi_kit.models.loading import load_tokenizer
from phi_kit.models.model_dir import identity

from .engine_pool import DrawTask, EnginePool, pool_of
from .local.model import LocalModel, require_weights
from .local.origin import ModelOrigin
from .local.sampling_engine import OwnEngine
from .replay import ModelStub
from .types import Completion, Sampler, SampleRequest, SamplingParams

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class PooledModel(LocalModel):
    """A local model that is sampled by workers. A `Sampler`.

    Its samples, its identity and their keys in the ledger are those of the model in one
    process. This process has no weights: workers train as well.

    Args:
        origin: of the model.
        workers: how many.
        tokenizer: of the model; loaded where none is given.
        folder: of a LoRA adapter that is on.
    """

    __hash__, __eq__ = object.__hash__, object.__eq__  # by its fields it would load

    def __init__(
        self,
        origin: ModelOrigin,
        workers: int,
        *,
        tokenizer: PreTrainedTokenizerBase | None = None,
        folder: Path | None = None,
    ):
        name = origin.name if folder is None else f"{origin.name}+{folder.name}"
        tokenizer = tokenizer or load_tokenizer(origin.name, origin.folder)
        vars(self).update(
            name=name,
            tokenizer=tokenizer,
            origin=origin,
            workers=workers,
            folder=folder,
            engine=OwnEngine(),  # of this process, which draws nothing
        )

    @property
    def pool(self) -> EnginePool:
        """Its workers, started if they are not there."""
        return pool_of(self.origin, self.workers)

    @cached_property
    def identity(self) -> str:
        """Of the weights, as the workers have loaded them; see `Sampler`."""
        own = self.pool.facts.identity
        return own if self.folder is None else f"{own}+{identity(self.folder)}"

    @cached_property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end a turn."""
        return self.pool.facts.stop_ids

    @property
    def about(self) -> str:
        """Where it is, in a few words for a reader."""
        return f"on {self.workers} workers"

    @cached_property
    def model(self) -> ModelStub:
        """What is known of the model without its weights."""
        from transformers import AutoConfig

        return ModelStub(AutoConfig.from_pretrained(self.origin.folder))

    def stream(
        self, requests: Sequence[SampleRequest], sampling: SamplingParams
    ) -> Iterator[tuple[int, Completion]]:
        """Draw the samples at the workers; see `Sampler`."""
        yield from self.stream_by(_itself, requests, sampling)

    def stream_by(
        self,
        sampler: Callable[[LocalModel], Sampler],
        requests: Sequence[SampleRequest],
        sampling: SamplingParams,
    ) -> Iterator[tuple[int, Completion]]:
        """Draw at the workers from another sampler, made there of the loaded model.

        Args:
            sampler: makes it; importable.
            requests: of the draw.
            sampling: token limit and temperature.
        """
        files = {}
        if self.folder is not None:
            files = {
                p.name: p.read_bytes() for p in self.folder.iterdir() if p.is_file()
            }
        yield from self.pool.stream(requests, DrawTask(sampling, sampler, files))

    @contextmanager
    def adapter(self, folder: Path | None) -> Iterator[LocalModel]:
        """The model with a LoRA adapter on, at the workers; see `LocalModel`."""
        if folder is None:
            yield self
            return
        require_weights(folder)
        yield PooledModel(
            self.origin, self.workers, tokenizer=self.tokenizer, folder=folder
        )


def _itself(model: Any) -> Any:
    return model
