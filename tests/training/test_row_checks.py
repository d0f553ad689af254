"""What the gate lets through and what it refuses, on the templates of real families.

A refused case names every check that sees it. For each check there is a case that
it alone sees: take the check away, and that row is trained on.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from families import FAMILIES, TEMPLATES, student_of

from phi_kit.core.errors import DataError
from phi_kit.data.sealed_splits import Seal
from phi_kit.models.chat_template import Asked
from phi_kit.training.encoding import IGNORE_INDEX, EncodedRow, TrainingRow, encode
from phi_kit.training.preflight import gate, row_faults
from phi_kit.training.row_checks import (
    CHECKS,
    LOOP_COPIES,
    LOOP_PERIOD,
    LOOP_TOKENS,
    RowUnderCheck,
    TokenLoop,
    find_loops,
)

ASKED = Asked("Give only the answer.", "What is 3 + 4?")
THINK = ASKED._replace(thinking=True)
ANSWER = "Seven apples, and a pear."
THOUGHT = "<think>3 and 4 more</think>7"
SEALED = "A train leaves Rome at nine with 40 people and 3 dogs aboard; who is left?"
SEAL = Seal([SEALED]).hit


def row(student, completion=ANSWER, asked=ASKED):
    return TrainingRow(asked.rendered(student.render), completion, asked)


# --- encoders that are wrong in one way -----------------------------------------


def nothing_trained(student, row):
    right = encode(student, row)
    return EncodedRow(right.ids, [IGNORE_INDEX] * len(right.ids))


def everything_trained(student, row):
    right = encode(student, row)
    return EncodedRow(right.ids, list(right.ids))


def question_trained(student, row):
    right = encode(student, row)
    labels = list(right.labels)
    start = len(labels) - right.trained
    return EncodedRow(right.ids, [*labels[: start - 5], *right.ids[start - 5 :]])


def first_word_masked(student, row):
    right = encode(student, row)
    start = len(right.ids) - right.trained
    return EncodedRow(right.ids, [IGNORE_INDEX] * (start + 3) + right.ids[start + 3 :])


def hole(student, row):
    right = encode(student, row)
    labels = list(right.labels)
    labels[-5] = IGNORE_INDEX
    return EncodedRow(right.ids, labels)


def junk_inside(student, row):
    right = encode(student, row)
    return EncodedRow(
        [*right.ids[:-4], right.ids[0], *right.ids[-4:]],
        [*right.labels[:-4], IGNORE_INDEX, *right.labels[-4:]],
    )


def cut_and_closed(student, row):
    return encode(student, replace(row, completion=row.completion[:-6]))


def cut(student, row):
    right = encode(student, row)
    return EncodedRow(right.ids[:-6], right.labels[:-6])


def cut_on_the_left(student, row):
    right = encode(student, row)
    return EncodedRow(right.ids[6:], right.labels[6:])


def end_masked(student, row):
    """What masking by the id of PAD does where PAD is the end of turn."""
    right = encode(student, row)
    return EncodedRow(right.ids, [*right.labels[:-1], IGNORE_INDEX])


def no_end(student, row):
    right = encode(student, row)
    return EncodedRow(right.ids[:-1], right.labels[:-1])


def ends_with(token, student, row):
    right, end = encode(student, row), student.tokenizer.convert_tokens_to_ids(token)
    return EncodedRow([*right.ids[:-1], end], [*right.labels[:-1], end])


def newline_after(student, row):
    right = encode(student, row)
    (line,) = student.tokenizer("\n", add_special_tokens=False).input_ids
    return EncodedRow([*right.ids, line], [*right.labels, IGNORE_INDEX])


def tokenizers_default(student, row):
    """The call everybody writes first: it adds a BOS to the template's."""
    right = encode(student, row)
    prompt = student.tokenizer(row.prompt).input_ids
    answer = right.ids[-right.trained :]
    return EncodedRow(prompt + answer, [IGNORE_INDEX] * len(prompt) + answer)


def bos_before_the_answer(student, row):
    right = encode(student, row)
    start, bos = len(right.ids) - right.trained, student.tokenizer.bos_token_id
    return EncodedRow(
        [*right.ids[:start], bos, *right.ids[start:]],
        [*right.labels[:start], IGNORE_INDEX, *right.labels[start:]],
    )


def no_bos(student, row):
    right = encode(student, row)
    return EncodedRow(right.ids[1:], right.labels[1:])


def shifted(student, row):
    """Labels moved by one, as if the model did not do that itself."""
    right = encode(student, row)
    return EncodedRow(right.ids, [*right.labels[1:], IGNORE_INDEX])


def noisy_inputs(student, row):
    right = encode(student, row)
    ids = list(right.ids)
    ids[-3] = ids[-4]
    return EncodedRow(ids, right.labels)


def too_few_labels(student, row):
    right = encode(student, row)
    return EncodedRow([*right.ids, right.ids[-1]], right.labels)


def by_template(student, row):
    """As trainers do that render the whole conversation: the template rewrites it."""
    (instruction, question, _), tokenizer = row.rendered_from, student.tokenizer
    turns = [
        {"role": "system", "content": instruction},
        {"role": "user", "content": question},
        {"role": "assistant", "content": row.completion},
    ]
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    said = text.partition(row.prompt.removesuffix("<think>\n"))[2].rstrip("\n")
    prompt = tokenizer(row.prompt, add_special_tokens=False).input_ids
    answer = tokenizer(said, add_special_tokens=False).input_ids
    return EncodedRow(prompt + answer, [IGNORE_INDEX] * len(prompt) + answer)


# --- rows: refused ----------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    name: str
    fails: str  # the checks that see it, by comma
    family: str = "qwen2.5"
    encode: object = encode
    completion: str = ANSWER
    change: object = lambda row: row
    asked: Asked = ASKED
    student: tuple = ()  # what is different about the student

    def seen(self):
        student = student_of(self.family, **dict(self.student))
        meant = self.change(row(student, self.completion, self.asked))
        return RowUnderCheck(student, meant, self.encode(student, meant), SEAL)


def prompt(change):
    """A row whose prompt is another than what was asked; nobody knows what was."""
    return lambda row: replace(row, prompt=change(row.prompt), rendered_from=None)


LOOP = "Let me check that again. " * 30
DOUBLED = "{{ bos_token }}" + (TEMPLATES / "llama3.jinja").read_text()
THINK_SPECIAL = (("special", {"<think>": 100350, "</think>": 100351}),)

REFUSED = [
    # the mask
    Case("all -100", "completion is trained", "phi-4", nothing_trained),
    Case("all -100, llama", "completion is trained", "llama-3", nothing_trained),
    Case(
        "everything trained",
        "prompt is masked, turn goes on",
        "phi-4",
        everything_trained,
    ),
    Case(
        "everything trained, gemma",
        "prompt is masked, turn goes on",
        "gemma-2",
        everything_trained,
    ),
    Case("end of the question trained", "prompt is masked", encode=question_trained),
    Case("first word masked", "completion is trained", encode=first_word_masked),
    Case("a hole in the mask", "completion is trained", encode=hole),
    Case("a masked token too many", "completion is trained", encode=junk_inside),
    Case(
        "labels shifted",
        "labels are inputs, prompt is masked, turn is closed",
        encode=shifted,
    ),
    Case("inputs are not the labels", "labels are inputs", encode=noisy_inputs),
    Case(
        "more tokens than labels",
        "labels are inputs, turn is closed",
        encode=too_few_labels,
    ),
    # truncation
    Case("answer cut, turn closed", "completion is trained", "phi-4", cut_and_closed),
    Case("answer cut", "completion is trained, turn is closed", "phi-4", cut),
    Case("prompt cut on the left", "prompt is masked", "phi-4", cut_on_the_left),
    Case(
        "prompt cut, BOS gone", "prompt is masked, one BOS", "gemma-3", cut_on_the_left
    ),
    # the end of the turn
    Case("end of turn masked", "turn is closed", "llama-3", end_masked),
    Case("end of turn masked, phi", "turn is closed", "phi-4-mini", end_masked),
    Case("no end of turn", "turn is closed", "smollm2", no_end),
    Case(
        "EOS for <|end|>",
        "turn is closed",
        "phi-4-mini",
        partial(ends_with, "<|endoftext|>"),
    ),
    Case(
        "EOS for <|im_end|>",
        "turn is closed",
        "qwen3",
        partial(ends_with, "<|endoftext|>"),
    ),
    Case(
        "EOS for <|eot_id|>",
        "turn is closed",
        "llama-3.2",
        partial(ends_with, "<|end_of_text|>"),
    ),
    Case(
        "EOS for <end_of_turn>",
        "turn is closed",
        "gemma-2",
        partial(ends_with, "<eos>"),
    ),
    Case(
        "EOS for <|im_end|>, phi",
        "turn is closed",
        "phi-4-reasoning",
        partial(ends_with, "<|endoftext|>"),
    ),
    Case(
        "EOS for <|im_end|>, smollm3",
        "turn is closed",
        "smollm3",
        partial(ends_with, "<|finetune_right_pad_id|>"),
    ),
    Case("a line after the end", "turn is closed", "qwen2.5", newline_after),
    Case("turn ends inside", "turn goes on", completion="7<|im_end|>"),
    Case(
        "turn ends inside, gemma",
        "turn goes on",
        "gemma-3",
        completion="7<end_of_turn>\n",
    ),
    Case(
        "another turn inside", "turn goes on", "phi-4", completion="7 <|im_start|>user"
    ),
    Case(
        "PAD inside",
        "turn goes on",
        "llama-3.2",
        completion="7<|finetune_right_pad_id|>",
    ),
    # BOS
    Case(
        "BOS doubled by the encoder",
        "prompt is masked, one BOS",
        "llama-3",
        tokenizers_default,
    ),
    Case(
        "BOS doubled, gemma", "prompt is masked, one BOS", "gemma-2", tokenizers_default
    ),
    Case(
        "BOS doubled by the template",
        "one BOS",
        "llama-3",
        student=(("template", DOUBLED),),
    ),
    Case("BOS lost", "prompt is masked, one BOS", "llama-3.2", no_bos),
    Case("BOS before the answer", "prompt is masked", "llama-3", bos_before_the_answer),
    # the prompt
    Case(
        "no generation prompt",
        "prompt opens the turn",
        change=prompt(lambda text: text.removesuffix("<|im_start|>assistant\n")),
    ),
    Case(
        "half a generation prompt",
        "prompt opens the turn",
        "phi-4",
        change=prompt(lambda text: text.removesuffix("<|im_sep|>")),
    ),
    Case(
        "completion inside the prompt",
        "prompt opens the turn",
        change=prompt(lambda text: text + ANSWER),
    ),
    Case(
        "no template at all",
        "prompt opens the turn, one BOS",
        "gemma-2",
        change=prompt(lambda _: ASKED[1]),
    ),
    Case(
        "another instruction than evaluation's",
        "prompt is asked",
        change=lambda row: replace(row, rendered_from=Asked("Think.", ASKED[1])),
    ),
    Case(
        "no system turn",
        "prompt is asked",
        "phi-4-mini",
        change=lambda row: replace(row, prompt=row.prompt.partition("<|end|>")[2]),
    ),
    Case(
        "rendered without thinking, asked with it",
        "prompt opens the turn, prompt is asked",
        "qwen3",
        change=lambda row: replace(row, rendered_from=THINK),
    ),
    # the completion
    Case("empty completion", "completion answers", completion=""),
    Case("blank completion", "completion answers", "gemma-2", completion=" \n"),
    Case(
        "a thought and no answer",
        "completion answers",
        "qwen3",
        completion="<think>3</think>\n",
    ),
    Case(
        "thought never closed",
        "thoughts are closed",
        "phi-4-reasoning",
        completion="<think>3 and 4 mo",
    ),
    Case(
        "thought never opened",
        "thoughts are closed",
        "phi-4-reasoning",
        completion="3</think>7",
    ),
    Case(
        "opened by the prompt and again",
        "thoughts are closed",
        "deepseek-r1",
        completion=THOUGHT,
    ),
    Case(
        "opened by the switch and again",
        "thoughts are closed",
        "deepseek-v3.1",
        completion=THOUGHT,
        asked=THINK,
    ),
    Case(
        "opened by the prompt, not closed",
        "thoughts are closed",
        "deepseek-r1",
        completion="7",
    ),
    Case(
        "thought stripped",
        "completion is trained",
        "deepseek-r1",
        by_template,
        "3 and 4</think>7",
    ),
    Case("thought rewritten", "completion is trained", "qwen3", by_template, THOUGHT),
    Case(
        "thought hidden as special",
        "answer reads back",
        "phi-4-reasoning",
        completion=THOUGHT,
        student=THINK_SPECIAL,
    ),
    Case("a loop", "does not loop", completion=LOOP),
    Case("a loop inside", "does not loop", completion=f"First. {LOOP} So 7."),
    Case("a loop after numbers", "does not loop", completion="1 0 " * 60 + LOOP),
    # the seal
    Case(
        "sealed question",
        "is not sealed",
        change=lambda row: replace(
            row, rendered_from=None, prompt=row.prompt.replace(ASKED[1], SEALED)
        ),
    ),
    Case("sealed item in the completion", "is not sealed", completion=SEALED),
    # the model
    Case(
        "tokens without embeddings",
        "has embeddings",
        "qwen3",
        student=(("embeddings", 151645),),
    ),
    Case(
        "PAD without an embedding",
        "has embeddings",
        "phi-4",
        student=(("embeddings", 100300),),
    ),
]
NAMES = {check.name for check in CHECKS}


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_a_wrong_row_is_refused(case):
    seen = case.seen()
    expected = set(case.fails.split(", "))
    assert expected <= NAMES
    assert {name for name, _, _ in row_faults(seen)} == expected
    good = row(seen.student)
    encoded = {id(seen.row): seen.encoded}
    with pytest.raises(DataError) as refused:
        gate(
            seen.student,
            [seen.row],
            max_tokens=5000,
            sealed=SEAL,
            encode=lambda student, row: encoded.get(id(row)) or encode(student, good),
        )
    assert refused.value.where.startswith("row 0\n")
    assert refused.value.todo


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_every_check_is_the_only_one_to_see_some_row(check):
    assert any(case.fails == check.name for case in REFUSED)


def test_there_are_cases_enough_over_every_family():
    assert len(REFUSED) + len(ACCEPTED) >= 40
    assert {case.family for case in REFUSED} >= {*FAMILIES, "smollm2"}
    assert len({case.name for case in REFUSED}) == len(REFUSED)


def test_the_refused_row_is_shown_as_the_loss_sees_it():
    student = student_of("phi-4")
    rows = [row(student), row(student, "7"), row(student, " ")]
    with pytest.raises(DataError) as refused:
        gate(student, rows, max_tokens=500)
    text = str(refused.value)
    assert "a training row has no completion" in text
    assert "row 2\n" in text
    assert "untrained | <|im_start|>system<|im_sep|>Give only the answer." in text
    assert "end of turn | <|im_end|>" in text


# --- rows: accepted ---------------------------------------------------------------

THINKERS = ("phi-4-reasoning", "qwen3", "qwen2.5", "llama-3")
ACCEPTED = [
    *((name, ANSWER) for name in FAMILIES if name != "deepseek-r1"),
    *((name, THOUGHT) for name in THINKERS),
    ("smollm2", ANSWER),
    ("smollm2", " 7\n"),
    ("deepseek-r1", "3 and 4\n</think>\n\n7"),
    ("phi-4", "7"),
    ("gemma-2", "Ä日本 🙂 e\u0301\n\n```python\nx = 1\n```"),
    ("llama-3", "  indented\n\n\n"),
    ("phi-4", "0 " * 400),  # a grid of an answer
    ("phi-4", "0." + "3" * 300),
    ("phi-4", "the big one, " * 3),
    ("qwen2.5", "".join(f"{i} is odd or it is even.\n" for i in range(40))),
]


@pytest.mark.parametrize(("family", "completion"), ACCEPTED)
def test_a_right_row_passes(family, completion):
    student = student_of(family)
    meant = row(student, completion)
    seen = RowUnderCheck(student, meant, encode(student, meant), SEAL)
    assert list(row_faults(seen)) == []
    passed = gate(student, [meant], max_tokens=5000, sealed=SEAL)
    assert list(passed) == [encode(student, meant)]


def test_templates_that_keep_a_finished_turn_agree_with_the_encoder():
    for name in ("qwen2.5", "phi-4", "phi-4-reasoning", "smollm2"):
        student = student_of(name)
        meant = row(student, THOUGHT)
        if name == "phi-4-reasoning":  # it has no room for the kit's system turn
            continue
        assert by_template(student, meant) == encode(student, meant)


# --- loops: wherever they stand; long repetitive texts are none -----------------


def test_a_loop_is_named():
    line = [1, 2, 3, *([7, 8, 9, 10] * 20), 4]
    assert next(find_loops(line)) == TokenLoop(start=3, period=4, copies=20)


@pytest.mark.parametrize("period", [1, 3, 48, LOOP_PERIOD])
def test_loops_of_any_period(period):
    start = list(range(1000, 1020))
    copies = list(range(period)) * max(LOOP_COPIES, -(-LOOP_TOKENS // period))
    loop = next(find_loops(start + copies))
    assert (loop.start, loop.period) == (20, period)


@pytest.mark.parametrize(
    "line",
    [
        [],
        [1],
        [1] * (LOOP_TOKENS - 1),
        list(range(LOOP_PERIOD)) * (LOOP_COPIES - 1),
        list(range(3000)),
        [*range(100), *range(101)] * 2,
    ],
    ids=["empty", "one", "short", "few copies", "none", "nearly the same"],
)
def test_texts_without_loops(line):
    assert list(find_loops(line)) == []


def test_random_text_has_none():
    draw = np.random.default_rng(1)
    for words in (2, 5, 50):
        line = draw.integers(words, size=4000).tolist()
        assert list(find_loops(line)) == []
