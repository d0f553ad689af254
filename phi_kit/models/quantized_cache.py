"""NF4 weights that were quantised once on this machine, kept for the next process.

On a CPU quantising is most of loading: of the embedded model 4 of 4.5 seconds, in every
notebook again. Kept are whole model folders as transformers writes them, in the kit's
cache beside its models; they load to the same bits. A GPU quantises in an instant, and
nothing is kept of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phi_kit.core.errors import PhiKitError

from .model_dir import SOURCE, cache_folder, identity, is_complete, publish
from .quantization import nf4_config

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

# What is smaller quantises in less time than anybody notices (kit default).
SMALLEST_BYTES = 100_000_000
# So many models are kept, those used last (kit default).
MOST_KEPT = 4
# Each decides about the bits, or about how they are written.
_LIBRARIES = ("bitsandbytes", "torch", "transformers")


def load_quantized(
    folder: Path,
    load: Callable[..., PreTrainedModel],
    *,
    dtype: torch.dtype,
    products: torch.dtype,
) -> PreTrainedModel:
    """A model in NF4 on the CPU: read if it is kept, else quantised and kept.

    Args:
        folder: of the model's own weights.
        load: `AutoModelForCausalLM.from_pretrained`, but for the folder and the
            quantisation.
        dtype: that `load` gives the weights that are not quantised.
        products: that products with quantised weights are computed in.

    Raises:
        OSError, ValueError, KeyError: as `load` does of `folder`.
    """
    kept = _place(folder, dtype, products)
    if kept and is_complete(kept):
        from safetensors import SafetensorError

        try:
            model = load(kept)
            os.utime(kept / SOURCE)
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError):
            shutil.rmtree(kept, ignore_errors=True)  # damaged; it is made again
        else:
            # Adapters, exports and messages name the model after where it was read.
            model.name_or_path = model.config._name_or_path = str(folder)
            return model
    model = load(folder, quantization_config=nf4_config(products))
    if kept:
        # A full disk or a read-only cache costs seconds, no run.
        with suppress(PhiKitError, OSError):
            publish(kept, lambda new, _: _write(model, new))
            _drop_old(kept.parent)
    return model


def _place(folder: Path, dtype: torch.dtype, products: torch.dtype) -> Path | None:
    """Where it is kept, named by all that decides about its bits; `None`: nowhere."""
    weights = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    if weights < SMALLEST_BYTES:
        return None
    settings = {
        "quantization": nf4_config(products).to_dict(),
        "dtype": str(dtype),
        "versions": {name: version(name) for name in _LIBRARIES},
    }
    text = json.dumps(settings, sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return cache_folder().parent / "quantized" / f"{identity(folder)}-{digest}"


def _write(model: PreTrainedModel, new: Path) -> dict[str, Any]:
    # Writing copies a shard: of a large model not all of it at once.
    model.save_pretrained(new, max_shard_size="256MB")
    return {"quantized_from": model.name_or_path}


def _drop_old(root: Path) -> None:
    folders = [path.parent for path in root.glob(f"*/{SOURCE}")]
    folders.sort(key=lambda path: (path / SOURCE).stat().st_mtime, reverse=True)
    for old in folders[MOST_KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
