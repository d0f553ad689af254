"""Adapters added up: the true sum of what they change, or nothing."""

import json

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from torch import nn

from phi_kit.core.errors import ModelError
from phi_kit.models.adapter_merge import merge_adapters, weight_changes


class Small(nn.Module):
    """Two linear layers, the second narrower than the ranks together."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.wide, self.narrow = nn.Linear(24, 16), nn.Linear(16, 5)

    def forward(self, x):
        return self.narrow(self.wide(x).tanh())


def adapter(folder, *, rank, alpha, seed, **more):
    """An adapter with random factors, as peft saves it."""
    config = LoraConfig(
        r=rank, lora_alpha=alpha, target_modules=["wide", "narrow"], **more
    )
    tuned = get_peft_model(Small(), config)
    torch.manual_seed(seed)
    for name, value in tuned.named_parameters():
        if "lora_" in name:
            nn.init.normal_(value, std=0.3)
    tuned.save_pretrained(folder)
    return folder


@pytest.fixture
def pair(tmp_path):
    one = adapter(tmp_path / "one", rank=4, alpha=4, seed=2)
    return one, adapter(tmp_path / "other", rank=3, alpha=9, seed=3)


def delta_by_peft(folder, layer):
    """What peft itself adds to a layer's weights."""
    tuned = PeftModel.from_pretrained(Small(), folder)
    return getattr(tuned.base_model.model, layer).get_delta_weight("default").detach()


@pytest.mark.parametrize("combination", ["cat", "svd"])
@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.9, 0.1), (-1.0, 0.5)])
def test_the_sum_is_the_true_one(pair, tmp_path, combination, weights):
    out = tmp_path / "sum"
    merge_adapters(pair, out, weights=weights, combination=combination)
    for layer in ("wide", "narrow"):
        parts = [delta_by_peft(folder, layer) for folder in pair]
        true = weights[0] * parts[0] + weights[1] * parts[1]
        torch.testing.assert_close(
            delta_by_peft(out, layer), true, atol=1e-5, rtol=1e-5
        )
    assert json.loads((out / "adapter_config.json").read_text())["r"] == 7


@pytest.mark.parametrize("combination", ["cat", "svd"])
def test_one_adapter_of_weight_one_is_itself(pair, tmp_path, combination):
    out = tmp_path / "same"
    merge_adapters(pair[1:], out, weights=[1.0], combination=combination)
    for layer in ("wide", "narrow"):
        torch.testing.assert_close(
            delta_by_peft(out, layer), delta_by_peft(pair[1], layer)
        )
    x = torch.randn(6, 24)
    outputs = [
        PeftModel.from_pretrained(Small(), folder).eval()(x)
        for folder in (pair[1], out)
    ]
    torch.testing.assert_close(*outputs, atol=1e-5, rtol=1e-5)


def test_changes_are_what_peft_adds(pair):
    changes = weight_changes(pair[1])
    assert len(changes) == 2
    (wide,) = [value for name, value in changes.items() if name.endswith("wide")]
    torch.testing.assert_close(wide.float(), delta_by_peft(pair[1], "wide"))


@pytest.mark.parametrize(
    "kind", [{"use_rslora": True}, {"use_dora": True}, {"lora_bias": True}]
)
def test_kinds_whose_sum_is_another_are_refused(pair, tmp_path, kind):
    odd = adapter(tmp_path / "odd", rank=2, alpha=4, seed=5, **kind)
    with pytest.raises(ModelError, match=f"only plain LoRA .* {next(iter(kind))}"):
        merge_adapters([pair[0], odd], tmp_path / "sum", weights=[1, 1])
    assert not (tmp_path / "sum").exists()


def test_adapters_of_other_bases_or_layers_are_refused(pair, tmp_path):
    path = pair[1] / "adapter_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"base_model_name_or_path": "another"}))
    with pytest.raises(ModelError, match="other bases or layers"):
        merge_adapters(pair, tmp_path / "sum", weights=[1, 1])


def test_what_is_no_adapter_or_has_no_weights_is_refused(pair, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no readable adapter"):
        merge_adapters([tmp_path / "empty"], tmp_path / "sum", weights=[1])
    (pair[0] / "phi_kit_replayed.json").write_text('{"identity": "x"}')
    with pytest.raises(ModelError, match="from a replay"):
        merge_adapters([pair[0]], tmp_path / "sum", weights=[1])
    with pytest.raises(ValueError, match="1 weights for 2 adapters"):
        merge_adapters(pair, tmp_path / "sum", weights=[1])


def test_factors_of_svd_are_orthogonal(pair, tmp_path):
    merge_adapters(pair, tmp_path / "sum", weights=[1, 1], combination="svd")
    tensors = load_file(tmp_path / "sum" / "adapter_model.safetensors")
    down = next(v for name, v in tensors.items() if "wide.lora_A" in name)
    gram = down @ down.T
    torch.testing.assert_close(gram, gram.diag().diag(), atol=1e-4, rtol=0)
