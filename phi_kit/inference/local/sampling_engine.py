"""Who decodes a model on this machine: an engine, behind one protocol.

The kit's own engine is the reference. transformers' continuous batching and a vLLM
server draw from the same law with other random numbers, so their samples are other
samples: the engine's name in a model's identity tells them apart in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from phi_kit.inference.types import Completion, SampleRequest, SamplingParams
from phi_kit.inference.work_units import work_units

if TYPE_CHECKING:
    from .engine import DecodableModel


class SamplingEngine(Protocol):
    """Draws samples of a model on this machine.

    Attributes:
        name: as a study file names it.
    """

    name: ClassVar[str]

    def stream(
        self,
        local: DecodableModel,
        requests: Sequence[SampleRequest],
        sampling: SamplingParams,
    ) -> Iterator[tuple[int, Completion]]:
        """Draw the samples; yields (index in `requests`, sample) in any order.

        Their law is the softmax of the model's logits at the temperature, over the
        whole vocabulary: no top-k, no top-p, no penalties.

        Raises:
            RunError: memory does not suffice, or the engine fails.
        """

    def adapted(self, folder: Path) -> SamplingEngine:
        """The engine for the model with the LoRA adapter of a folder."""

    def close(self) -> None:
        """Give back the memory that it holds between draws; it may draw again."""


@dataclass(frozen=True)
class OwnEngine:
    """The kit's own decoding. A `SamplingEngine`; see `engine.decode`."""

    name: ClassVar[str] = "own"

    def stream(
        self,
        local: DecodableModel,
        requests: Sequence[SampleRequest],
        sampling: SamplingParams,
    ) -> Iterator[tuple[int, Completion]]:
        """Draw the samples, each with a random stream of its own."""
        from .decoding_weights import weights_for_decoding
        from .engine import decode  # imports torch

        units = work_units(len(requests), local.model.device.type)
        with weights_for_decoding(local.model):  # once for all units
            for unit in units:
                part = requests[unit.start : unit.stop]
                for number, completion in decode(local, part, sampling):
                    yield unit[number], completion

    def adapted(self, folder: Path) -> OwnEngine:
        """Itself: it decodes the model that it is given."""
        return self

    def close(self) -> None:
        """Do nothing: it holds memory while it draws and no longer."""
