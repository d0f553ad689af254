"""What the gate says of a run as a whole: padding, shares, templates, stops.

Each refused case differs from an accepted one in the one thing that is named.
"""

from datetime import datetime
from functools import partial

import pytest
from families import TEMPLATES, student_of

from phi_kit.core.errors import DataError, ModelError, PhiKitError
from phi_kit.models.chat_template import Asked, turn_framing
from phi_kit.training import preflight as module
from phi_kit.training.encoding import IGNORE_INDEX, TrainingRow, collate, encode
from phi_kit.training.preflight import gate

ASKED = Asked("Give only the answer.", "What is 3 + 4?")


def row(student, completion="Seven apples, and a pear.", asked=ASKED):
    return TrainingRow(asked.rendered(student.render), completion, asked)


def masks_by_id(rows, *, pad):
    """What masking PAD by its id does; a language-model collator's default."""
    batch = collate(rows, pad=pad)
    batch["labels"][batch["input_ids"] == pad] = IGNORE_INDEX
    return batch


def trains_padding(rows, *, pad):
    batch = collate(rows, pad=pad)
    return batch | {"labels": batch["input_ids"].clone()}


def attends_to_padding(rows, *, pad):
    batch = collate(rows, pad=pad)
    return batch | {"attention_mask": batch["attention_mask"] * 0 + 1}


@pytest.mark.parametrize("wrong", [masks_by_id, trains_padding, attends_to_padding])
def test_padding_may_neither_train_nor_hide_the_end_of_a_turn(wrong):
    student = student_of("llama-3")
    pad = student.tokenizer.pad_token_id
    rows = [row(student), row(student, "7")]
    assert pad == encode(student, rows[0]).ids[-1]  # PAD is the end of turn
    right = gate(student, rows, max_tokens=500, collate=partial(collate, pad=pad))
    assert right.report.pad_is_end
    with pytest.raises(DataError, match="padding changes what is trained"):
        gate(student, rows, max_tokens=500, collate=partial(wrong, pad=pad))


def test_masking_by_id_is_harmless_where_pad_is_a_token_of_its_own():
    student = student_of("phi-4")
    wrong = partial(masks_by_id, pad=student.tokenizer.pad_token_id)
    assert len(gate(student, [row(student)], max_tokens=500, collate=wrong)) == 1


def test_no_pad_token():
    student = student_of("phi-4")
    student.tokenizer.pad_token = None
    with pytest.raises(DataError, match="has no PAD token"):
        gate(student, [row(student)], max_tokens=500)


@pytest.mark.parametrize("name", ["qwen3", "smollm3", "deepseek-v3.1", "phi-4"])
def test_rows_of_two_styles_train_in_one_run(name):
    student = student_of(name)
    thinking = ASKED._replace(thinking=True)
    opened = turn_framing(student.tokenizer, thinking=True).thought
    thought = f"{'' if opened else '<think>'}\n3 and 4\n</think>\n\nSeven apples."
    rows = [row(student), row(student, thought, thinking)]
    passed = gate(student, rows, max_tokens=5000)
    assert len(passed) == 2
    assert passed.report.end_of_turn == student.tokenizer.decode([passed[0].ids[-1]])


def test_sampling_must_stop_in_every_style_of_the_rows():
    student = student_of("qwen3")
    both = [row(student), row(student, "<think>\n3\n</think>\n\n7", ASKED)]
    assert len(gate(student, both, max_tokens=5000)) == 2
    wrong = student_of("qwen3", stops=(1,))
    wrong.tokenizer.eos_token = "<|endoftext|>"
    with pytest.raises(DataError, match="would not stop"):
        gate(wrong, [row(wrong, asked=ASKED._replace(thinking=True))], max_tokens=5000)


def test_long_rows_are_left_out_and_counted_never_cut():
    student = student_of("phi-4")
    short, long = row(student, "7"), row(student, "seven " * 60)
    whole = encode(student, short)
    passed = gate(student, [short, long, short], max_tokens=len(whole.ids))
    assert list(passed) == [whole, whole]
    report = passed.report
    assert (report.read, report.kept, report.too_long) == (3, 2, 1)
    assert (report.tokens, report.trained_tokens) == (2 * len(whole.ids), 4)


@pytest.mark.parametrize(
    ("rows", "said"), [([row], "none of 1 training rows"), ([], "none of 0")]
)
def test_no_row_that_fits(rows, said):
    student = student_of("phi-4")
    with pytest.raises(DataError, match=said):
        gate(student, [make(student) for make in rows], max_tokens=10)


@pytest.mark.parametrize(
    ("asked", "completion"),
    [
        (Asked("", "word " * 600), "7"),
        (Asked("", "?"), "".join(map(str, range(15000)))),
    ],
    ids=["hardly anything", "hardly anything else"],
)
def test_a_share_of_trained_tokens_that_is_insane(asked, completion, monkeypatch):
    student = student_of("phi-4")
    rows = [row(student, completion, asked)]
    with pytest.raises(DataError, match=r"no sane share[\s\S]*most extreme row"):
        gate(student, rows, max_tokens=10**6)
    monkeypatch.setattr(module, "TRAINED_SHARE", (0, 1))
    assert len(gate(student, rows, max_tokens=10**6)) == 1


def test_training_and_evaluation_render_alike():
    class Elsewhere(type(student_of("phi-4"))):
        def render(self, instruction, prompt, **how):
            return (
                super().render(instruction, prompt.strip("."), **how).replace("}", "")
            )

    student = student_of("phi-4")
    same = gate(student, [row(student)], max_tokens=500).report
    assert same.train_template == same.evaluation_template
    # The row itself is the same under both; the templates are not.
    with pytest.raises(DataError, match="render prompts differently"):
        gate(Elsewhere(**vars(student)), [row(student)], max_tokens=500)


def test_sampling_must_stop_where_training_ends_a_turn():
    right = student_of("gemma-2")
    assert (
        gate(right, [row(right)], max_tokens=500).report.end_of_turn == "<end_of_turn>"
    )
    wrong = student_of("gemma-2", stops=(1,))
    with pytest.raises(DataError, match=r"would not stop[\s\S]*generation_config"):
        gate(wrong, [row(wrong)], max_tokens=500)


CHATML = (TEMPLATES / "qwen2_5.jinja").read_text()
PHI4 = (TEMPLATES / "phi4.jinja").read_text()
TEMPLATE_FAULTS = {
    "no generation prompt": (
        CHATML.replace("'<|im_start|>assistant\\n' }}", "'' }}"),
        "does not open the model's turn",
    ),
    "generation prompt of another role": (
        CHATML.replace("'<|im_start|>assistant\\n' }}", "'<|im_start|>model\\n' }}"),
        "does not open the model's turn",
    ),
    "turns are not closed": (
        CHATML.replace("message.content + '<|im_end|>' + '\\n'", "message.content"),
        "closes no turn with a special token",
    ),
    "the question is lost": (
        CHATML.replace("message.content + '<|im_end|>'", "'' + '<|im_end|>'"),
        "loses what is said",
    ),
    "today's date": (
        "{% set form = '%d %B %Y' %}{{ strftime_now(form) }}" + CHATML,
        "writes today's date",
    ),
}


@pytest.mark.parametrize("name", TEMPLATE_FAULTS)
def test_a_template_that_cannot_be_trained_with(name):
    template, said = TEMPLATE_FAULTS[name]
    assert template != CHATML
    student = student_of("qwen2.5", template=template)
    with pytest.raises(ModelError, match=said):
        gate(student, [TrainingRow("x", "y")], max_tokens=500)


def test_a_prompt_does_not_change_overnight(monkeypatch):
    student = student_of("llama-3.2")
    today = datetime.now().strftime("%d %b %Y")
    assert "26 Jul 2024" in ASKED.rendered(student.render)
    assert today not in ASKED.rendered(student.render)


def test_a_refusal_is_always_the_kits_own_error():
    student = student_of("phi-4")
    for bad in (
        TrainingRow("", ""),
        TrainingRow("x", ""),
        TrainingRow("", "y"),
        TrainingRow("\0", "\ud7ff"),
    ):
        with pytest.raises(PhiKitError):
            gate(student, [bad], max_tokens=500)
