"""Rows end to end never meet; where a model would let them, they are padded."""

from contextlib import contextmanager

import pytest
import torch
from peft import LoraConfig, get_peft_model

from phi_kit.training import loss, packing, training_run
from phi_kit.training.encoding import IGNORE_INDEX, EncodedRow, TrainingRow, collate
from phi_kit.training.loss import choose_loss, full_logits_loss, masked_loss
from phi_kit.training.packing import (
    hidden_states,
    pack,
    per_row_attention,
    rows_are_isolated,
)
from phi_kit.training.qlora import train
from phi_kit.training.training_config import TrainingConfig

LENGTHS = (5, 17, 2, 9)


def rows(*lengths):
    draw = torch.Generator().manual_seed(1)
    made = []
    for n in lengths:
        ids = torch.randint(5, 40000, (n,), generator=draw).tolist()
        made.append(EncodedRow(ids, [IGNORE_INDEX] * (n // 2) + ids[n // 2 :]))
    return made


@contextmanager
def adapted(model):
    torch.manual_seed(1)
    config = LoraConfig(
        r=4, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
    )
    made = get_peft_model(model, config)
    try:
        yield made
    finally:
        made.unload()
        vars(model).pop("peft_config", None)


def small(family, **settings):
    import transformers

    config = getattr(transformers, f"{family}Config")(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        pad_token_id=0,
        **settings,
    )
    torch.manual_seed(0)
    return getattr(transformers, f"{family}ForCausalLM")(config).eval()


def test_a_row_among_others_is_as_if_it_came_alone(tiny):
    together = rows(*LENGTHS)
    with torch.no_grad(), per_row_attention(tiny.model):
        whole = hidden_states(tiny.model, pack(together))[0].split(LENGTHS)
        for one, states in zip(together, whole, strict=True):
            alone = hidden_states(tiny.model, pack([one]))[0]
            torch.testing.assert_close(states, alone)


def behind(prefix, *lengths):
    """Rows that begin with the same masked tokens."""
    return [
        EncodedRow([*prefix, *row.ids], [IGNORE_INDEX] * len(prefix) + row.labels)
        for row in rows(*lengths)
    ]


@pytest.mark.parametrize("shared", [1, 6])
def test_a_prefix_that_all_rows_share_is_read_once(tiny, shared):
    together = behind(range(100, 106), *LENGTHS)
    packed = pack(together, shared=shared)
    sizes = [6 + n - shared * (place > 0) for place, n in enumerate(LENGTHS)]
    assert packed["input_ids"].shape == (1, sum(sizes))
    with torch.no_grad(), per_row_attention(tiny.model):
        whole = hidden_states(tiny.model, packed)[0].split(sizes)
        for place, (one, states) in enumerate(zip(together, whole, strict=True)):
            alone = hidden_states(tiny.model, pack([one]))[0]
            torch.testing.assert_close(states, alone[shared * (place > 0) :])


@pytest.mark.parametrize(
    ("pairs", "tokens"),
    [
        # (masked, trained) tokens of each row
        ([([1, 2, 3, 4], [5]), ([1, 2, 7, 4], [5])], 2),
        ([([1, 2, 3], [5]), ([1, 2, 3], [6])], 2),  # the same question twice
        ([([1, 2, 3], [5]), ([1, 2, 3, 5], [6])], 2),
        ([([1, 2], [3, 4]), ([1, 2, 3, 4], [5])], 1),  # no trained one is shared
        ([([1], [5]), ([2], [5])], 0),
        ([([], [1, 2]), ([], [1, 2])], 0),
        ([([1, 2], [3])], 0),  # nobody to share it with
    ],
)
def test_only_masked_tokens_are_shared(pairs, tokens):
    made = [EncodedRow(m + t, [IGNORE_INDEX] * len(m) + t) for m, t in pairs]
    assert packing.shared_prefix(made) == tokens


def test_the_model_is_asked_and_left_as_it_was(tiny):
    assert rows_are_isolated(tiny.model, longest=600)
    assert tiny.model.config._attn_implementation == "sdpa"


def test_a_model_in_which_rows_meet_is_found_out(tiny, monkeypatch):
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    def mixing(module, query, key, value, mask, cu_seq_lens_q=None, **options):
        return sdpa_attention_forward(module, query, key, value, mask, **options)

    monkeypatch.setattr(packing, "attend_within_rows", mixing)
    assert not rows_are_isolated(tiny.model, longest=10)


def test_a_sliding_window_shorter_than_a_row_is_padded():
    model = small("Mistral", sliding_window=8)
    assert rows_are_isolated(model, longest=8)
    assert not rows_are_isolated(model, longest=9)


def gradients(model, value):
    model.zero_grad()
    value.backward()
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize(
    "block", [loss.LOGIT_BLOCK["cpu"], 1], ids=["one block", "many blocks"]
)
@pytest.mark.parametrize("shared", [0, 4], ids=["each whole", "prefix once"])
def test_the_loss_is_that_of_padded_rows(tiny, monkeypatch, block, shared):
    monkeypatch.setitem(loss.LOGIT_BLOCK, "cpu", block)
    together = behind(range(100, 104), *LENGTHS)
    with adapted(tiny.model) as model:
        padded = collate(together, pad=0)
        theirs = model(**padded).loss
        wanted = gradients(model, theirs)
        with per_row_attention(tiny.model):
            ours = masked_loss(model, pack(together, shared=shared))
            torch.testing.assert_close(ours, theirs)
            for one, other in zip(gradients(model, ours), wanted, strict=True):
                torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_no_row_is_predicted_from_the_one_before_it(tiny):
    first, second = rows(4, 6)
    second = EncodedRow(second.ids, second.ids)  # as if its first token were trained
    assert pack([first, second])["labels"][0, 4].item() == IGNORE_INDEX


@pytest.mark.parametrize(
    ("family", "settings", "chosen"),
    [
        ("Llama", {}, masked_loss),
        ("Gemma2", {"head_dim": 8, "attn_implementation": "eager"}, masked_loss),
        ("Cohere", {"logit_scale": 0.3}, full_logits_loss),
    ],
)
def test_the_loss_is_the_models_own(family, settings, chosen):
    with adapted(small(family, **settings)) as model:
        assert choose_loss(model) is chosen
        batch = collate(
            [
                EncodedRow(
                    [t % 300 for t in r.ids],
                    [t % 300 if t > 0 else t for t in r.labels],
                )
                for r in rows(7, 12)
            ],
            pad=0,
        )
        torch.testing.assert_close(
            choose_loss(model)(model, batch), model(**batch).loss
        )


@pytest.mark.slow
def test_padded_training_is_the_same_training(tiny, tmp_path, monkeypatch):
    ask = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
    texts = [
        TrainingRow(ask.format(f"Say {i} " * (1 + i % 5)), str(i)) for i in range(8)
    ]
    recipe = TrainingConfig(rank=4, epochs=2, batch=4)
    found = [train(tiny, texts, recipe, out=tmp_path / "arm", rng_seed=1).losses]
    monkeypatch.setattr(
        training_run.packing, "rows_are_isolated", lambda *_, **__: False
    )
    found.append(train(tiny, texts, recipe, out=tmp_path / "arm", rng_seed=1).losses)
    assert found[0] == pytest.approx(found[1], abs=1e-4)
