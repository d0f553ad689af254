"""Merge LoRA adapters of one base model into one adapter, exactly.

The merged adapter's change of the weights is the weighted sum of theirs, to the
rounding of float32. `cat` puts the factors side by side; `svd` is the same sum in
orthogonal factors, at full rank. Combinations that are no sum are left out: `linear`,
`ties` and `dare_linear` of peft 0.21.2 lie at a cosine of .70, .48 and .35 to it.

The factors are read and written as files, without peft's `add_weighted_adapter`, which
gives wrong adapters without an error for rslora, DoRA and biases
(https://github.com/huggingface/peft/issues/3761). Those kinds are refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from phi_kit.core.errors import ModelError, disk_errors
from phi_kit.core.files import write_atomic
from phi_kit.core.weight_records import weight_record

if TYPE_CHECKING:
    import torch

Combination = Literal["cat", "svd"]
_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
# What makes a change of the weights other than `alpha / r * B @ A`.
_REFUSED = (
    *("use_rslora", "use_dora", "lora_bias", "modules_to_save"),
    *("rank_pattern", "alpha_pattern", "trainable_token_indices", "corda_config"),
    *("use_qalora", "layer_replication", "target_parameters"),
)


def merge_adapters(
    adapters: Sequence[Path],
    out: Path,
    *,
    weights: Sequence[float],
    combination: Combination = "cat",
) -> None:
    """Write the adapter whose change of the weights is the weighted sum of others'.

    Args:
        adapters: folders of plain LoRA adapters of one base, on the same layers.
        out: the new adapter's folder; its rank is the sum of theirs.
        weights: of each adapter.
        combination: how the sum is factored.

    Raises:
        ModelError: an adapter is no plain LoRA, has no weights (a replay's), or two
            are of different bases or layers.
        ValueError: not one weight for each adapter, or no adapter.
    """
    from safetensors.torch import save_file

    if not adapters or len(adapters) != len(weights):
        raise ValueError(f"{len(weights)} weights for {len(adapters)} adapters")
    configs = [_plain_config(folder) for folder in adapters]
    parts = [
        _factors(folder, config)
        for folder, config in zip(adapters, configs, strict=True)
    ]
    for folder, config, part in zip(adapters, configs, parts, strict=True):
        base = "base_model_name_or_path"
        if config.get(base) != configs[0].get(base) or part.keys() != parts[0].keys():
            raise ModelError(
                "adapters of other bases or layers have no sum",
                where=f"{adapters[0]} and {folder}",
                todo="merge adapters that were trained beside one model",
            )
    tensors, rank = {}, 0
    for layer in parts[0]:
        down, up = _side_by_side([part[layer] for part in parts], weights)
        if combination == "svd":
            down, up = _orthogonal(down, up)
        tensors[f"{layer}.lora_A.weight"] = down.float().contiguous()
        tensors[f"{layer}.lora_B.weight"] = up.float().contiguous()
        rank = len(down)
    merged = configs[0] | {"r": rank, "lora_alpha": rank}
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        save_file(tensors, out / _WEIGHTS, metadata={"format": "pt"})
        write_atomic(out / _CONFIG, json.dumps(merged, indent=2, sort_keys=True) + "\n")


def weight_changes(adapter: Path) -> dict[str, torch.Tensor]:
    """What a plain LoRA adapter adds to each layer's weights, in float64.

    Returns:
        By the layer's name a matrix of shape (outputs, inputs).
    """
    factors = _factors(adapter, _plain_config(adapter))
    return {layer: up @ down for layer, (down, up) in factors.items()}


def _plain_config(folder: Path) -> dict[str, Any]:
    if weight_record(folder) is not None:
        raise ModelError(
            "this adapter is from a replay and has no weights",
            where=str(folder),
            todo="run the step that trains it with the model: --redo",
        )
    try:
        config = json.loads((folder / _CONFIG).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            "there is no readable adapter here",
            where=str(folder / _CONFIG),
            todo="name a folder of `runs/…/adapters/`",
        ) from error
    odd = [name for name in _REFUSED if config.get(name)]
    odd += ["bias"] if config.get("bias", "none") != "none" else []
    if config.get("peft_type") != "LORA" or odd:
        raise ModelError(
            "only plain LoRA adapters can be added; this is "
            f"{config.get('peft_type')}{' with ' * bool(odd)}{', '.join(odd)}",
            where=str(folder),
            todo="train the sum of the data instead, which step 6 does",
        )
    return config


def _factors(
    folder: Path, config: dict[str, Any]
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Of each layer A (rank, inputs) and `alpha / r` times B (outputs, rank)."""
    from safetensors.torch import load_file

    tensors = load_file(folder / _WEIGHTS)
    scale = config["lora_alpha"] / config["r"]
    layers = {name.rpartition(".lora_")[0] for name in tensors}
    return {
        layer: (
            tensors[f"{layer}.lora_A.weight"].double(),
            tensors[f"{layer}.lora_B.weight"].double() * scale,
        )
        for layer in sorted(layers)
    }


def _side_by_side(
    factors: Sequence[tuple[torch.Tensor, torch.Tensor]], weights: Sequence[float]
) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    down = torch.cat([one for one, _ in factors])
    ups = [up * weight for (_, up), weight in zip(factors, weights, strict=True)]
    return down, torch.cat(ups, dim=1)


def _orthogonal(
    down: torch.Tensor, up: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same product by its singular vectors; rank beyond a side's is zeros."""
    import torch

    rank = len(down)
    left, left_core = torch.linalg.qr(up)
    right, right_core = torch.linalg.qr(down.T)
    u, s, v = torch.linalg.svd(left_core @ right_core.T, full_matrices=False)
    root = s.sqrt()
    new_up, new_down = left @ (u * root), (root[:, None] * v) @ right.T
    room = rank - len(root)
    if room:
        new_up = torch.nn.functional.pad(new_up, (0, room))
        new_down = torch.nn.functional.pad(new_down, (0, 0, 0, room))
    return new_down, new_up
