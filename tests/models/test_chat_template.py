"""Chat templates of real families: their text, their tokens, how they are read."""

from functools import partial

import pytest
from families import FAMILIES, TEMPLATES, student_of, tokenizer_of

from phi_kit.core.errors import ModelError
from phi_kit.models.chat_template import (
    Asked,
    apply_template,
    control_token_ids,
    render,
    template_fingerprint,
    thinking_switches,
    turn_framing,
)

ASKED = Asked("Be brief.", "What is 2 + 2?")

# The whole prompt, letter by letter; FIXED stands for Phi-4-reasoning's own words.
PROMPTS = {
    "phi-4": (
        "<|im_start|>system<|im_sep|>Be brief.<|im_end|>"
        "<|im_start|>user<|im_sep|>What is 2 + 2?<|im_end|>"
        "<|im_start|>assistant<|im_sep|>"
    ),
    "phi-4-mini": (
        "<|system|>Be brief.<|end|><|user|>What is 2 + 2?<|end|><|assistant|>"
    ),
    "phi-4-reasoning": (
        "<|im_start|>system<|im_sep|>FIXED<|im_end|>"
        "<|im_start|>user<|im_sep|>Be brief.\n\nWhat is 2 + 2?<|im_end|>"
        "<|im_start|>assistant<|im_sep|>"
    ),
    "qwen2.5": (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n"
        "<|im_start|>assistant\n"
    ),
    "qwen3": (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    ),
    "llama-3": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief."
        "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWhat is 2 + 2?"
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "llama-3.2": (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
        "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nBe brief."
        "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWhat is 2 + 2?"
        "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"
    ),
    "gemma-2": (
        "<bos><start_of_turn>user\nBe brief.\n\nWhat is 2 + 2?<end_of_turn>\n"
        "<start_of_turn>model\n"
    ),
    "gemma-3": (
        "<bos><start_of_turn>user\nBe brief.\n\nWhat is 2 + 2?<end_of_turn>\n"
        "<start_of_turn>model\n"
    ),
    "deepseek-r1": (
        "<｜begin▁of▁sentence｜>Be brief.<｜User｜>What is 2 + 2?<｜Assistant｜>"
        "<think>\n"
    ),
    "smollm3": (
        "<|im_start|>system\n## Metadata\n\nKnowledge Cutoff Date: June 2025\n"
        "Reasoning Mode: /no_think\n\n## Custom Instructions\n\nBe brief.\n\n"
        "<|im_end|>\n<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n"
    ),
    "deepseek-v3.1": (
        "<｜begin▁of▁sentence｜>Be brief.<｜User｜>What is 2 + 2?<｜Assistant｜>"
        "<think></think>"
    ),
    "smollm2": (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n"
        "<|im_start|>assistant\n"
    ),
}
# Ids of the control tokens of that prompt, in order, and of the end of the turn.
IDS = {
    "phi-4": ([100264, 100266, 100265] * 2 + [100264, 100266], 100265),
    "phi-4-mini": ([200022, 200020, 200021, 200020, 200019], 200020),
    "phi-4-reasoning": ([100264, 100266, 100265] * 2 + [100264, 100266], 100265),
    "qwen2.5": ([151644, 151645] * 2 + [151644], 151645),
    "qwen3": ([151644, 151645] * 2 + [151644], 151645),
    "llama-3": ([128000] + [128006, 128007, 128009] * 2 + [128006, 128007], 128009),
    "llama-3.2": ([128000] + [128006, 128007, 128009] * 2 + [128006, 128007], 128009),
    "gemma-2": ([2, 106, 107, 106], 107),
    "gemma-3": ([2, 105, 106, 105], 106),
    "deepseek-r1": ([151646, 151644, 151645], 151643),
    "smollm3": ([128011, 128012] * 2 + [128011], 128012),
    "deepseek-v3.1": ([0, 128803, 128804], 1),
    "smollm2": ([1, 2, 1, 2, 1], 2),
}
# What replaces what where the model is to think first.
THINKING = {
    "qwen3": ("<think>\n\n</think>\n\n", ""),
    "smollm3": ("<think>\n\n</think>\n", ""),
    "deepseek-v3.1": ("<think></think>", "<think>"),
}
EVERY = pytest.mark.parametrize("name", PROMPTS)


def fixed(name):
    if name != "phi-4-reasoning":
        return ""
    text = (TEMPLATES / "phi4_reasoning.jinja").read_text()
    return text.partition("<|im_sep|>")[2].partition("<|im_end|>")[0]


def test_every_family_is_looked_at():
    assert set(PROMPTS) == set(IDS) == {*FAMILIES, "smollm2"}
    assert len(PROMPTS) >= 10


@pytest.mark.slow
@EVERY
def test_a_prompt_is_rendered_letter_by_letter(name):
    student = student_of(name)
    assert ASKED.rendered(student.render) == PROMPTS[name].replace("FIXED", fixed(name))


@EVERY
def test_a_model_is_asked_to_think_in_its_templates_own_way(name):
    student = student_of(name)
    plain, otherwise = PROMPTS[name].replace("FIXED", fixed(name)), THINKING.get(name)
    found = student.render(*ASKED[:2], thinking=True)
    if otherwise is None:  # its template has no switch
        assert found == plain
    else:
        without, with_ = otherwise
        expected = plain.removesuffix(without) + with_
        assert found == expected.replace("Mode: /no_think", "Mode: /think")
    framing = turn_framing(student.tokenizer, thinking=True)
    assert found.endswith(f"What is 2 + 2?{framing.opening}")
    assert framing.end == IDS[name][1]
    opens = name in ("deepseek-r1", "deepseek-v3.1")
    assert framing.thought == ("<think>" if opens else "")


def test_a_switch_is_a_variable_and_no_word_of_the_templates_text():
    switches = {
        name: thinking_switches(student_of(name).tokenizer.get_chat_template())
        for name in PROMPTS
    }
    assert {name for name, found in switches.items() if found} == set(THINKING)
    assert switches["qwen3"] == ("enable_thinking",)
    assert switches["deepseek-v3.1"] == ("enable_thinking", "thinking")
    assert "thinking" in (TEMPLATES / "phi4_reasoning.jinja").read_text()
    assert thinking_switches("{% if m.thinking %}{{ 'thinking' }}{% endif %}") == ()
    assert thinking_switches("{%- if thinking %}x{% endif %}") == ("thinking",)


EXAMPLES = [("What is 1 + 1?", "One more: 2."), ("What is 3 + 1?", "One more: 4.")]


@EVERY
@pytest.mark.parametrize("thinking", [False, True])
def test_examples_are_earlier_turns_and_the_instruction_stands_once(name, thinking):
    student = student_of(name)
    text = student.render(*ASKED[:2], thinking=thinking, examples=EXAMPLES)
    said = ["Be brief.", *(part for pair in EXAMPLES for part in pair), ASKED.question]
    places = [text.index(part) for part in said]
    assert places == sorted(places)
    assert all(text.count(part) == 1 for part in said)
    framing = turn_framing(student.tokenizer, thinking=thinking)
    assert text.endswith(ASKED.question + framing.opening)
    ids = student.tokenizer(text, add_special_tokens=False).input_ids
    assert ids.count(framing.end) >= len(EXAMPLES)
    assert student.render(*ASKED[:2], thinking=thinking, examples=()) == ASKED._replace(
        thinking=thinking
    ).rendered(student.render)


@EVERY
def test_the_special_tokens_have_their_real_ids(name):
    student, (marks, end) = student_of(name), IDS[name]
    prompt = ASKED.rendered(student.render)
    ids = student.tokenizer(prompt, add_special_tokens=False).input_ids
    control = control_token_ids(student.tokenizer)
    assert [token for token in ids if token in control] == marks
    assert turn_framing(student.tokenizer).end == end
    assert end in student.stop_ids
    assert student.tokenizer.decode(ids) == prompt


@EVERY
def test_what_is_read_off_a_template(name):
    found, prompt = turn_framing(student_of(name).tokenizer), PROMPTS[name]
    assert prompt.endswith(f"What is 2 + 2?{found.opening}")
    with_bos = {"gemma-2", "gemma-3", "deepseek-r1", "deepseek-v3.1", "smollm2"}
    assert found.bos == (name in with_bos or name.startswith("llama"))
    assert found.thought == ("<think>" if name == "deepseek-r1" else "")


@pytest.mark.slow
def test_the_end_of_a_turn_is_often_not_the_tokenizers_eos():
    differs = {
        name
        for name in PROMPTS
        if turn_framing(student_of(name).tokenizer).end
        != student_of(name).tokenizer.eos_token_id
    }
    assert differs == {"phi-4-mini", "gemma-2", "gemma-3"}


@pytest.mark.parametrize("name", ["llama-3", "gemma-2", "gemma-3", "deepseek-r1"])
def test_the_tokenizers_default_call_would_double_the_bos(name):
    tokenizer = student_of(name).tokenizer
    ids = tokenizer(PROMPTS[name]).input_ids
    assert ids[:2] == [tokenizer.bos_token_id] * 2


def test_an_instruction_is_never_lost():
    for name in PROMPTS:
        text = student_of(name).render("Say only yes or no.", "Is it?")
        assert text.count("Say only yes or no.") == text.count("Is it?") == 1, name


def test_phi_4_reasoning_keeps_its_thoughts_in_a_finished_turn():
    tokenizer = student_of("phi-4-reasoning").tokenizer
    turns = [
        {"role": "user", "content": "What is 2 + 2?"},
        {"role": "assistant", "content": "<think>two more</think>4"},
    ]
    text = apply_template(tokenizer, turns, open_turn=False)
    assert text.endswith("<|im_sep|><think>two more</think>4<|im_end|>")


@pytest.mark.slow
def test_a_fingerprint_names_a_way_of_rendering():
    marks = {
        name: template_fingerprint(
            lambda *asked, name=name, **how: student_of(name).render(*asked, **how)
        )
        for name in PROMPTS
    }
    # Two pairs of templates ask a question in the same words.
    assert marks["qwen2.5"] == marks["smollm2"]
    assert marks["gemma-2"] == marks["gemma-3"]
    assert len(set(marks.values())) == len(marks) - 2


def test_a_fingerprint_is_that_of_before_where_thinking_changes_nothing():
    assert template_fingerprint(student_of("smollm2").render) == "602e3d73246e5b58"


def test_a_fingerprint_tells_apart_how_a_model_is_asked_to_think():
    student = student_of("qwen3")

    def never(instruction, prompt, *, thinking=False):
        return student.render(instruction, prompt)

    assert template_fingerprint(never) != template_fingerprint(student.render)


def test_a_template_that_writes_the_date_is_given_one():
    dated = "{{ 'Today: ' + strftime_now('%d %B %Y') + strftime_now(\"%A\") }}"
    plain = (TEMPLATES / "qwen2_5.jinja").read_text()
    student = student_of("qwen2.5", template=dated + plain)
    prompt = ASKED.rendered(student.render)
    assert prompt == "Today: 26 July 2024Friday" + PROMPTS["qwen2.5"]
    assert turn_framing(student.tokenizer).opening.endswith("assistant\n")


def test_a_changed_template_is_read_anew():
    tokenizer = student_of("qwen2.5").tokenizer
    assert turn_framing(tokenizer).opening.endswith("assistant\n")
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "<|im_start|>assistant\\n", "<|im_start|>assistant\\n\\n"
    )
    with pytest.raises(ModelError, match="does not open the model's turn"):
        turn_framing(tokenizer)


def test_several_templates_the_default_one_counts():
    tokenizer = tokenizer_of(FAMILIES["qwen2.5"])
    tokenizer.chat_template = {"default": tokenizer.chat_template, "tool_use": "x"}
    assert turn_framing(tokenizer).end == 151645
    assert ASKED.rendered(partial(render, tokenizer)) == PROMPTS["qwen2.5"]
