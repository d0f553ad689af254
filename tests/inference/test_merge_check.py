"""A merged model answers as the adapter did beside its base."""

import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from families import SMOLLM2, tokenizer_of

from phi_kit.core.errors import ModelError, RunError
from phi_kit.inference import completion
from phi_kit.inference.merge_check import QUESTIONS, merge_and_compare
from phi_kit.models import merge
from phi_kit.models.chat_template import Asked
from phi_kit.models.logit_diff import Agreement, compare
from phi_kit.training.encoding import TrainingRow
from phi_kit.training.qlora import train
from phi_kit.training.training_config import TrainingConfig

ASKED = [Asked("Be brief.", f"What is {a} + 2?") for a in range(4)]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A folder with a small random Llama that speaks bytes, in chat turns."""
    from tokenizers import models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "small"
    tokenizer = tokenizer_of(replace(SMOLLM2, template="qwen2_5"))
    backend = tokenizer.backend_tokenizer
    vocab = backend.get_vocab()
    letters = {"to": 600, "Ġt": 601}  # two merges, as every real file has some
    backend.model = models.BPE(vocab=vocab | letters, merges=[("t", "o"), ("Ġ", "t")])
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    config = LlamaConfig(
        vocab_size=640,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.3,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "LICENSE").write_text("free")
    return folder


@pytest.fixture(scope="module")
def adapter(base, tmp_path_factory):
    """An adapter that has learned something, beside NF4."""
    folder = tmp_path_factory.mktemp("adapters") / "teachable"
    student = completion.load(str(base))
    rows = [
        TrainingRow(asked.rendered(student.render), "seven apples", asked)
        for asked in ASKED
    ]
    recipe = TrainingConfig(rank=4, epochs=4, batch=2, learning_rate=1e-2, warmup=0)
    train(student, rows, recipe, out=folder, rng_seed=1)
    completion.load.cache_clear()
    return folder


@pytest.fixture(scope="module")
def merged(base, adapter, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "merged"

    return merge_and_compare(adapter, out, base=str(base), asked=ASKED)


def logits(model):
    ids = torch.arange(0, 602, 7)[None]
    with torch.no_grad():
        return model.eval()(ids).logits


def plain(folder, **options):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **options)


@pytest.mark.slow
def test_the_merged_model_says_what_the_adapter_said(merged, base, adapter):
    from peft import PeftModel

    config = json.loads((merged.folder / "config.json").read_text())
    assert config["dtype"] == "float16"
    assert "quantization_config" not in config
    before = logits(plain(base))
    beside = logits(PeftModel.from_pretrained(plain(base), adapter))
    alone = logits(plain(merged.folder))
    assert (alone - beside).abs().max() < 0.05 * (beside - before).abs().max()
    assert merged.merged.top1 >= 0.97
    assert merged.merged.mean_gap < 0.01
    assert merged.trained.positions == merged.merged.positions > 8
    # NF4 of a small random model is another model; merging is not to blame.
    assert merged.trained.mean_gap > 10 * merged.merged.mean_gap


def test_tokenizer_template_and_licence_come_along(merged, base):
    names = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
    for name in names:
        assert (merged.folder / name).read_bytes() == (base / name).read_bytes()
    assert (merged.folder / "LICENSE").read_text() == "free"


def test_the_folder_says_how_well_it_agrees(merged):
    record = json.loads((merged.folder / "phi_kit_source.json").read_text())
    assert record["agreement"]["merged"] == merged.merged.as_dict()
    assert record["agreement"]["trained"] == merged.trained.as_dict()
    card = (merged.folder / "README.md").read_text()
    assert str(merged.merged) in card
    assert "| data digest |" in card  # the adapter's own card


def test_the_kit_loads_it_as_a_model(merged):
    student = completion.load(str(merged.folder), four_bit=False)
    try:
        assert ASKED[0].rendered(student.render).endswith("<|im_start|>assistant\n")
    finally:
        completion.load.cache_clear()


def test_only_the_folder_is_left(merged):
    assert [path.name for path in merged.folder.parent.iterdir()] == ["merged"]


def test_what_is_there_is_never_overwritten(base, adapter, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(ModelError, match="already; nothing was written"):
        merge_and_compare(adapter, tmp_path / "mine", base=str(base), asked=ASKED)
    assert list((tmp_path / "mine").iterdir()) == []


def test_a_merge_that_went_wrong_leaves_nothing(base, adapter, tmp_path, monkeypatch):
    from peft.tuners.lora import Linear

    monkeypatch.setattr(Linear, "merge", lambda *_, **__: None)
    with pytest.raises(ModelError, match="does not say what the adapter said"):
        merge_and_compare(adapter, tmp_path / "out", base=str(base), asked=ASKED)
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_model_are_refused(base, adapter, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(base, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-5}))
    with pytest.raises(ModelError, match="trained beside other weights"):
        merge_and_compare(adapter, tmp_path / "out", base=str(other), asked=ASKED)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_nothing(base, adapter, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(merge, "_write_merged", full)
    with pytest.raises(RunError, match="the disk is full"):
        merge_and_compare(adapter, tmp_path / "out", base=str(base), asked=ASKED)
    assert list(tmp_path.iterdir()) == []


def folder_with(tmp_path, **config):
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    return tmp_path


@pytest.mark.parametrize(
    "config",
    [
        {"peft_type": "IA3"},
        {"peft_type": "LORA", "modules_to_save": ["lm_head"]},
        {"peft_type": "LORA", "trainable_token_indices": [1]},
    ],
    ids=str,
)
def test_what_cannot_be_merged_is_refused(tmp_path, config):
    with pytest.raises(ModelError, match="only plain LoRA can be merged"):
        merge.base_model_name(folder_with(tmp_path, **config))


def test_no_adapter_at_all(tmp_path):
    with pytest.raises(ModelError, match="no readable adapter"):
        merge.base_model_name(tmp_path)


def test_an_adapters_base_is_named_as_a_study_would(tmp_path):
    hub = "HuggingFaceTB/SmolLM2-135M-Instruct"
    folder = folder_with(tmp_path, peft_type="LORA", base_model_name_or_path=hub)
    assert merge.base_model_name(folder) == "smollm2-135m"
    folder = folder_with(tmp_path, peft_type="LORA", base_model_name_or_path="a/b")
    assert merge.base_model_name(folder) == "a/b"


def test_agreement_is_counted_over_tokens():
    one = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]))
    other = torch.log(torch.tensor([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1]]))
    answers = [([9, 9, 0, 1], 2)]
    assert compare([one], [one], answers) == Agreement(1.0, 0.0, 0.0, 2)
    found = compare([one], [other], answers)
    assert (found.top1, found.positions) == (0.5, 2)
    assert found.max_gap == pytest.approx(0.6931, abs=1e-4)
    assert found.mean_gap == pytest.approx((0.6931 + 0.1542) / 2, abs=1e-4)


def test_the_questions_are_in_no_part_of_the_kits_data():
    for question in QUESTIONS:
        holders = [
            path
            for path in Path(merge.__file__).parents[1].rglob("*.py")
            if question in path.read_text()
        ]
        assert [path.name for path in holders] == ["merge_check.py"]
