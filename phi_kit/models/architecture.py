"""A model's sizes without its weights, as planning needs them.

Taken from the model's `config.json`: an empty model is built from it. For decoders
that name their sizes as Llama does, which most do.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

from phi_kit.core.errors import ModelError
from phi_kit.core.paths import resolve_from_root

from . import catalog

# As published with the models (MIT), to plan for one before it is downloaded.
_PUBLISHED_CONFIGS: dict[str, dict[str, Any]] = {
    "phi-4": {
        "model_type": "phi3",
        "hidden_size": 5120,
        "intermediate_size": 17920,
        "num_hidden_layers": 40,
        "num_attention_heads": 40,
        "num_key_value_heads": 10,
        "vocab_size": 100352,
        "tie_word_embeddings": False,
    },
    "phi-4-mini": {
        "model_type": "phi3",
        "hidden_size": 3072,
        "intermediate_size": 8192,
        "num_hidden_layers": 32,
        "num_attention_heads": 24,
        "num_key_value_heads": 8,
        "vocab_size": 200064,
        "tie_word_embeddings": True,
    },
}


@dataclass(frozen=True)
class ModelSizes:
    """The sizes of a decoder.

    Attributes:
        linear: (inputs, outputs) of every linear layer but the head: NF4 quantises
            them, and each gets an adapter.
        other: all other weights: embeddings, an untied head, norms.
        layers: number of blocks.
        hidden: width between the blocks.
        intermediate: width inside a block's feed-forward part.
        kv_width: width of a token's keys, and of its values.
        vocabulary: rows of the head.
    """

    linear: tuple[tuple[int, int], ...]
    other: int
    layers: int
    hidden: int
    intermediate: int
    kv_width: int
    vocabulary: int

    @property
    def linear_weights(self) -> int:
        """Number of weights that NF4 quantises."""
        return sum(inputs * outputs for inputs, outputs in self.linear)

    @property
    def weights(self) -> int:
        """Number of all weights."""
        return self.linear_weights + self.other

    def adapter(self, rank: int) -> int:
        """Weights of a LoRA adapter on every linear layer."""
        return rank * sum(map(sum, self.linear))

    @classmethod
    def of(cls, config: Any) -> Self:
        """The sizes that a transformers config gives."""
        import torch
        from transformers import AutoModelForCausalLM

        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        head = model.get_output_embeddings()
        linear = tuple(
            (layer.in_features, layer.out_features)
            for layer in model.modules()
            if isinstance(layer, torch.nn.Linear) and layer is not head
        )
        text = config.get_text_config()
        heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
        size = getattr(text, "head_dim", None)
        total = sum(weight.numel() for weight in model.parameters())
        return cls(
            linear=linear,
            other=total - sum(inputs * outputs for inputs, outputs in linear),
            layers=text.num_hidden_layers,
            hidden=text.hidden_size,
            intermediate=text.intermediate_size,
            kv_width=heads * (size or text.hidden_size // text.num_attention_heads),
            vocabulary=text.vocab_size,
        )


@lru_cache(maxsize=8)
def model_sizes(name: str) -> ModelSizes:
    """The sizes of a model; of a Hugging Face id only the config is fetched.

    Args:
        name: a catalogue name, a Hugging Face id or a local folder. The embedded
            default is fetched whole, for the kit has it anyway.

    Raises:
        ModelError: there is no config of that name.
    """
    from transformers import AutoConfig

    published = _PUBLISHED_CONFIGS.get(catalog.catalog_name(name))
    if published is not None:
        fields = dict(published)
        return ModelSizes.of(AutoConfig.for_model(fields.pop("model_type"), **fields))
    if name == catalog.DEFAULT:
        folder = catalog.resolve(name)
    else:
        folder = catalog.local_folder(name) or catalog.published_name(name)[0]
        if resolve_from_root(
            name
        ).is_dir():  # whatever it lacks is not on the hub either
            folder = resolve_from_root(name)
    try:
        return ModelSizes.of(AutoConfig.from_pretrained(folder))
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(
            f"the sizes of {name} are not to be had: {str(error).splitlines()[0]}",
            where=str(folder),
            todo="give a causal language model whose config.json is here or on the hub",
        ) from error
