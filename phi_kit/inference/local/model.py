"""A model on this machine, ready to sample or to be trained."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from phi_kit.core.errors import ModelError
from phi_kit.core.weight_records import weight_record
from phi_kit.inference.types import Completion, SampleRequest, SamplingParams
from phi_kit.models.chat_template import Examples, render
from phi_kit.models.model_dir import identity

from .sampling_engine import OwnEngine, SamplingEngine

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_IDENTITY = re.compile("[^/]*/?(?P<precision>[^@+]*)(@(?P<engine>[^+]*))?")


@dataclass(frozen=True)
class LocalModel:
    """A loaded model with its tokenizer. A `Sampler`.

    Attributes:
        name: as in study files; `+` and the adapter's name follow where one is on.
        model: the transformers model.
        tokenizer: with its chat template.
        identity: `WEIGHTS/PRECISION@ENGINE+ADAPTER`, without the engine where it is
            the kit's own, without the adapter where there is none; see `Sampler`.
        engine: what draws its samples.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    identity: str = ""
    engine: SamplingEngine = field(default_factory=OwnEngine)

    def render(
        self,
        instruction: str,
        prompt: str,
        *,
        thinking: bool = False,
        examples: Examples = (),
    ) -> str:
        """The text this model completes."""
        return render(
            self.tokenizer, instruction, prompt, thinking=thinking, examples=examples
        )

    def stream(
        self, requests: Sequence[SampleRequest], sampling: SamplingParams
    ) -> Iterator[tuple[int, Completion]]:
        """Decode the requested samples; see `Sampler`."""
        yield from self.engine.stream(self, requests, sampling)

    @property
    def precision(self) -> str:
        """In what it computes, as its identity names it; empty without one."""
        return _parts(self.identity)["precision"]

    @property
    def sampled_by(self) -> str:
        """The name of its engine, which a recorded model's identity keeps."""
        return _parts(self.identity)["engine"] or OwnEngine.name

    @property
    def about(self) -> str:
        """Its memory, in a few words for a reader."""
        return f"{self.model.get_memory_footprint() / 1e6:.0f} MB on this machine"

    @property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end a turn: EOS, and those of the generation config."""
        named = self.model.generation_config.eos_token_id
        named = named if isinstance(named, list) else [named]
        ids = {self.tokenizer.eos_token_id, *named} - {None}
        return frozenset(ids)

    @contextmanager
    def adapter(self, folder: Path | None) -> Iterator[LocalModel]:
        """The model with a LoRA adapter on, unmerged; taken off afterwards.

        Merging into 4-bit weights changes the model (peft #2321), so adapters
        are always evaluated as they were trained: beside the weights.

        Args:
            folder: of the adapter; the model itself comes where it is `None`.

        Raises:
            ModelError: the adapter is from a replay and has no weights.
        """
        if folder is None:
            yield self
            return
        require_weights(folder)
        from peft import PeftModel

        tuned = PeftModel.from_pretrained(self.model, folder)
        tuned.eval()
        engine = self.engine.adapted(folder)
        try:
            yield LocalModel(
                f"{self.name}+{folder.name}",
                tuned,
                self.tokenizer,
                f"{self.identity}+{identity(folder)}",
                engine,
            )
        finally:
            engine.close()
            tuned.unload()
            # peft leaves its config on the base model and warns at the next one.
            vars(self.model).pop("peft_config", None)


def _parts(identity: str) -> dict[str, str]:
    """What the identity of a model on this machine says: precision and engine."""
    return _IDENTITY.match(identity).groupdict(default="")


def require_weights(folder: Path) -> None:
    """Refuse the folder of an adapter that only a replay has made.

    Raises:
        ModelError: it has no weights.
    """
    if weight_record(folder) is not None:
        raise ModelError(
            "this adapter is from a replay and has no weights",
            where=str(folder),
            todo="run the step that trains it with the model: --redo",
        )
