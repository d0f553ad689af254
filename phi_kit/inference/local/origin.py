"""Where a loaded model came from, so that another process can load the same one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from phi_kit.core.params import Compute, EngineName
from phi_kit.models import catalog
from phi_kit.models.loading import load_model, load_tokenizer, precision
from phi_kit.models.model_dir import identity

from .engine_choice import require_engine, with_engine
from .model import LocalModel
from .vllm_server import stop_server


@dataclass(frozen=True)
class ModelOrigin:
    """What a model on this machine is loaded from.

    Attributes:
        name: a catalogue name, a Hugging Face id or a local folder.
        four_bit: NF4 weights; else the compute dtype's.
        compute: `float32` to compute in nothing else.
        engine: what samples it.
    """

    name: str
    four_bit: bool = True
    compute: Compute = "auto"
    engine: EngineName = "own"

    @property
    def folder(self) -> Path:
        """The model's folder, fetched first if need be.

        Raises:
            ModelError: it cannot be found.
        """
        return catalog.resolve(self.name)

    @property
    def everywhere(self) -> Self:
        """As a process in another working directory names it."""
        folder = Path(self.name).expanduser()
        return replace(self, name=str(folder.resolve())) if folder.is_dir() else self

    def load(self) -> LocalModel:
        """The model and its tokenizer, in this process.

        Raises:
            ModelError: it cannot be found, is no causal language model with a chat
                template, or the engine is not installed.
        """
        require_engine(self.engine)
        stop_server()  # of another model: it holds the memory that this one needs
        folder, how = self.folder, {"four_bit": self.four_bit, "compute": self.compute}
        tokenizer = load_tokenizer(self.name, folder)
        model = load_model(self.name, folder, **how)
        named = f"{identity(folder)}/{precision(**how)}"
        local = LocalModel(self.name, model, tokenizer, named)
        return with_engine(local, self.engine, folder, **how)
