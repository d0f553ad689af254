"""What a row trains, and rows that must not be trained on."""

from dataclasses import replace

from phi_kit.models.chat_template import render
from phi_kit.training.encoding import IGNORE_INDEX, TrainingRow, collate, encode

ROW = TrainingRow("What is 3 + 4?", " 7 apples")


def test_the_prompt_is_masked_and_the_end_of_turn_is_trained(tiny):
    prompt = render(tiny.tokenizer, "Give only the answer.", "3 + 4?")
    encoded = encode(tiny, TrainingRow(prompt, "7"))
    trained = [label for label in encoded.labels if label != IGNORE_INDEX]
    assert tiny.tokenizer.decode(trained) == "7<|im_end|>"
    assert tiny.tokenizer.decode(encoded.ids) == f"{prompt}7<|im_end|>"
    assert encoded.trained == len(trained) == 2
    assert all(
        x in (IGNORE_INDEX, i) for x, i in zip(encoded.labels, encoded.ids, strict=True)
    )


def test_padding_trains_nothing_even_where_pad_is_the_end_of_turn(tiny):
    rows = [encode(tiny, ROW), encode(tiny, replace(ROW, prompt="Hi"))]
    batch = collate(rows, pad=tiny.tokenizer.eos_token_id)
    assert {tuple(value.shape) for value in batch.values()} == {(2, len(rows[0].ids))}
    for i, row in enumerate(rows):
        width = len(row.ids)
        assert batch["input_ids"][i, :width].tolist() == row.ids
        assert batch["labels"][i, :width].tolist() == row.labels
        assert (batch["labels"][i, width:] == IGNORE_INDEX).all()
        assert batch["attention_mask"][i].sum() == width


def test_a_row_is_tokenised_once_however_often_it_is_encoded(tiny, monkeypatch):
    rows = [
        TrainingRow(f"How many legs do {n} cows have?", f"{4 * n}") for n in range(5)
    ]
    first = [encode(tiny, row) for row in rows]
    calls = []
    kind = type(tiny.tokenizer)
    call = kind.__call__
    monkeypatch.setattr(
        kind, "__call__", lambda *given, **how: calls.append(1) or call(*given, **how)
    )
    assert [encode(tiny, row) for row in rows] == first
    assert calls == []
    encode(tiny, replace(rows[0], completion="four"))
    assert len(calls) == 2
