"""Training on a tiny random model: the loss is right and nothing stays behind."""

import pytest
import torch

from phi_kit.training.encoding import TrainingRow, collate, encode
from phi_kit.training.loss import masked_loss
from phi_kit.training.qlora import train
from phi_kit.training.training_config import TrainingConfig


def asked(question):
    """The embedded model's own chat turns."""
    return f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


ROWS = [
    TrainingRow(asked(f"What is {a} + {b}?"), f"{a + b}")
    for a in range(4)
    for b in range(3)
]
RECIPE = TrainingConfig(rank=4, epochs=6, batch=4, warmup=0.1)


def wrapped(tiny):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    config = LoraConfig(
        r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
    )
    return get_peft_model(tiny.model, config)


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize(
    "rows",
    [
        [ROWS[0]] * 3,
        [
            ROWS[0],
            TrainingRow("A longer prompt, " * 5, " seven"),
            TrainingRow("Hi", "1 2 3"),
        ],
    ],
    ids=["equal lengths", "padded"],
)
def test_the_loss_is_the_loss_over_all_positions(tiny, rows):
    model = wrapped(tiny)
    try:
        encoded = [encode(tiny, row) for row in rows]
        batch = collate(encoded, pad=tiny.tokenizer.pad_token_id)
        ours, full = masked_loss(model, batch), model(**batch).loss
        torch.testing.assert_close(ours, full)
        for one, other in zip(
            gradients(model, ours), gradients(model, full), strict=True
        ):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
        halved = masked_loss(
            model, batch, count=2 * sum(row.trained for row in encoded)
        )
        torch.testing.assert_close(halved, full / 2)
    finally:
        model.unload()
        vars(tiny.model).pop("peft_config", None)


@pytest.fixture(scope="module")
def trained(tiny, tmp_path_factory):
    """The same run twice, with what the student was before."""
    before = {name: value.clone() for name, value in tiny.model.state_dict().items()}
    folders = [tmp_path_factory.mktemp("run") / "arm" for _ in range(2)]
    done = [train(tiny, ROWS, RECIPE, out=folder, rng_seed=3) for folder in folders]
    return before, folders, done


def test_a_run_is_repeatable_bit_for_bit(trained, tiny, tmp_path):
    _, folders, (one, other) = trained
    assert one == other
    assert len(one.losses) == 18
    assert sum(one.losses[-3:]) < sum(one.losses[:3])  # an epoch each
    weights = [(f / "adapter_model.safetensors").read_bytes() for f in folders]
    assert weights[0] == weights[1]
    another = train(tiny, ROWS, RECIPE, out=tmp_path / "arm", rng_seed=4)
    assert another.losses != one.losses


def test_costs_are_counted(trained, tiny):
    _, _, (done, _) = trained
    encoded = [encode(tiny, row) for row in ROWS]
    assert (done.rows, done.too_long) == (12, 0)
    assert done.tokens == 6 * sum(len(row.ids) for row in encoded)
    assert done.trained_tokens == 6 * sum(row.trained for row in encoded)


def test_the_student_comes_back_as_it_was(trained, tiny):
    before, _, _ = trained
    after = tiny.model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert not tiny.model.training
    assert "peft_config" not in vars(tiny.model)
    assert not any("lora" in type(m).__module__ for m in tiny.model.modules())


def test_only_the_adapter_is_saved(trained):
    _, (folder, _), _ = trained
    names = {path.name for path in folder.iterdir()}
    assert {"adapter_config.json", "adapter_model.safetensors"} <= names
    assert names <= {"adapter_config.json", "adapter_model.safetensors", "README.md"}


def test_plain_peft_reads_the_adapter(trained, tiny):
    from copy import deepcopy

    from peft import PeftModel

    ids = torch.arange(100, 120)[None]
    with torch.no_grad():
        base = tiny.model(ids).logits
        with tiny.adapter(trained[1][0]) as tuned:
            ours = tuned.model(ids).logits
        plain = PeftModel.from_pretrained(deepcopy(tiny.model), trained[1][0]).eval()
        torch.testing.assert_close(plain(ids).logits, ours)
        torch.testing.assert_close(tiny.model(ids).logits, base)
    assert not torch.allclose(ours, base)


@pytest.mark.slow
def test_nothing_is_written_beside_the_adapter(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train(tiny, ROWS[:4], RECIPE, out=tmp_path / "out", rng_seed=3)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
