"""Where a loaded model came from, so that another process can load the same one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from phi_kit.core.params import Compute
from phi_kit.models import catalog
from phi_kit.models.loading import load_model, load_tokenizer, precision
from phi_kit.models.model_dir import identity

from .model import LocalModel


@dataclass(frozen=True)
class ModelOrigin:
    """What a model on this machine is loaded from.

    Attributes:
        name: a catalogue name, a Hugging Face id or a local folder.
        four_bit: NF4 weights; else the compute dtype's.
        compute: `float32` to compute in nothing else.
    """

    name: str
    four_bit: bool = True
    compute: Compute = "auto"

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
            ModelError: it cannot be found, or is no causal language model with a
                chat template.
        """
        folder, how = self.folder, {"four_bit": self.four_bit, "compute": self.compute}
        tokenizer = load_tokenizer(self.name, folder)
        model = load_model(self.name, folder, **how)
        named = f"{identity(folder)}/{precision(**how)}"
        return LocalModel(self.name, model, tokenizer, named)
