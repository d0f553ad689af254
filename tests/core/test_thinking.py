"""Thinking is hidden, whatever tags it stands between; the answer never is."""

from __future__ import annotations

import itertools

import pytest

from phi_kit.core import thinking

PAIRS = (
    *(
        (f"<{name}>", f"</{name}>")
        for name in (
            *("think", "thinking", "Thought", "thoughts", "reasoning"),
            *("reflection", "scratchpad", "analysis", "seed:think", "longcat_think"),
            *(
                "reason",
                "think:opensource",
                "inner_monologue",
                "chain_of_thought",
                "rationale",
            ),
        )
    ),
    ("[THINK]", "[/THINK]"),
    ("[REASONING]", "[/REASONING]"),
    ("◁think▷", "◁/think▷"),
    ("<|think|>", "<|/think|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("[unused16]", "[unused17]"),
    ("<|channel>thought\n", "<channel|>"),
    ("<think time='3 s'>", "</think >"),
    ("<THINK>", "</Think>"),
)
CHANNELS = (
    "<|channel|>analysis<|message|>",
    "<|channel|>commentary<|message|>",
    "<|channel|>commentary to=functions.sum <|constrain|>json<|message|>",
)
FINAL = "<|start|>assistant<|channel|>final<|message|>"
SHAPES = {
    "closed": ("{o}17, or 3?{c}18", "18"),
    "spread": ("{o}\n17?\n{c}\n\n18\n", "18"),
    "twice": ("{o}17{c}{o}3{c}18", "18"),
    "after a word": ("So: {o}17{c}18", "So: 18"),
    "open": ("{o}9 + 9 = 18, so", ""),
    "open again": ("18{o}or 17", None),
    "closing only": ("17, or 3?{c}18", "18"),
    "nested": ("{o}17{o}3{c}4{c}18", "18"),
    "nested, open": ("{o}17{o}3{c}18", ""),
    "empty": ("{o}{c}18", "18"),
    "ended turn": ("{o}17{c}18<|im_end|>", "18"),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0])
def test_every_pair_in_every_shape(pair, shape):
    text, wanted = SHAPES[shape]
    if pair[1] == "<channel|>" and "nested" in shape:
        return  # a channel ends the one before; there is no nesting
    shown = thinking.visible(text.format(o=pair[0], c=pair[1]))
    assert shown == ("18" if wanted is None else wanted)


KINDS = (PAIRS[0], *PAIRS[4:8], ("<|inner_prefix|>", "<|inner_suffix|>"))


@pytest.mark.parametrize(("outer", "inner"), list(itertools.permutations(KINDS, 2)))
def test_one_pair_inside_another(outer, inner):
    text = f"{outer[0]}17{inner[0]}3{inner[1]}4{outer[1]}18"
    assert thinking.visible(text) == "18"
    # The inner one never closes: the outer closing tag ends both.
    assert thinking.visible(f"{outer[0]}17{inner[0]}3{outer[1]}18") == "18"


@pytest.mark.parametrize("channel", CHANNELS)
def test_only_the_final_channel_answers(channel):
    assert thinking.visible(f"{channel}17?<|end|>{FINAL}18<|return|>") == "18"
    assert thinking.visible(f"{channel}17?{FINAL}18") == "18"
    assert thinking.visible(f"{channel}9 + 9 = 18, so") == ""
    assert thinking.visible(f"{channel}18<|end|>") == ""
    both = f"{CHANNELS[0]}1<|end|><|start|>assistant{channel}2<|call|>{FINAL}18"
    assert thinking.visible(both) == "18"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("analysisWe add.assistantfinalThe answer is 18.", "The answer is 18."),
        ("analysisWe need 18", ""),
        ("analysis of the sum: 18", "analysis of the sum: 18"),
        ("Here is my thought process: 17? Here is my response: 18", "18"),
        ("Here is my thought process: 18", "Here is my thought process: 18"),
        ("17?\n[BEGIN FINAL RESPONSE]\n18\n[END FINAL RESPONSE]", "18"),
        ("<|begin_of_thought|>17<|end_of_thought|><|begin_of_solution|>18"
         "<|end_of_solution|>", "18"),
        ("<|START_THINKING|>17<|END_THINKING|><|START_RESPONSE|>18<|END_RESPONSE|>",
         "18"),
        ("<think>17</think>\n<response>\n18\n</response>", "18"),
        ("<think>17</thinking>18", "18"),
        ("<thinking>17<reflection>no</thinking><output>18</output>", "18"),
    ],
)  # fmt: skip
def test_other_signs_of_a_thought(text, wanted):
    assert thinking.visible(text) == wanted


CODE = "```python\ntext = raw.split('</think>')\nmark = 1  # <think>\n```"


@pytest.mark.parametrize(
    "text",
    [
        "a < b and c > d",
        "x = [THINK",
        "<b>18</b>",
        "The tag `<think>` opens a thought.",
        'It ends with "</think>".',
        CODE,
    ],
)
def test_what_is_no_tag_hides_nothing(text):
    assert thinking.visible(text) == text
    assert thinking.visible(f"<think>\n{text}\n</think>\n{text}") == text


def test_a_program_behind_a_thought_may_speak_of_tags():
    assert thinking.visible(f"<think>17</think>\n{CODE}") == CODE


def test_a_reply_that_stands_in_a_fence_has_its_thought_hidden():
    shown = thinking.visible("```\n<think>17</think>\n18\n```")
    assert "17" not in shown
    assert "18" in shown


def test_a_further_pair_holds_inside_its_block():
    text = "<mull>17</mull>18"
    with thinking.also(("<mull>", "</mull>")):
        assert thinking.visible(text) == "18"
        assert thinking.visible("17</MULL>18") == "18"
        assert thinking.visible("<mull>18") == ""
        assert thinking.visible("<think>17</think>18") == "18"
    assert thinking.visible(text) == text


@pytest.mark.parametrize(
    ("prompt", "tag"),
    [
        ("<|Assistant|><think>\n", "<think>"),
        ("<|START_THINKING|>", "<|START_THINKING|>"),
        ("[THINK] ", "[THINK]"),
        ("Assistant:", ""),
        ("<think></think>\n", ""),
    ],
)
def test_a_prompt_may_open_the_thought(prompt, tag):
    assert thinking.opened_by(prompt) == tag


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair[0])
def test_pairs_are_counted(pair):
    opened, closed = pair
    assert thinking.unpaired(f"{opened}3{closed}7") == ""
    assert thinking.unpaired("7") == ""
    assert thinking.unpaired(f"{opened}3")
    assert thinking.unpaired(f"3{closed}7")
    assert thinking.unpaired(f"{opened}3{closed}7{closed}")
    assert thinking.without_tags(f"{opened}{closed}").strip() == ""


def test_a_thought_handed_over_apart_reads_like_any_other():
    assert thinking.visible(thinking.wrapped("17?", "18")) == "18"
    assert thinking.visible(thinking.wrapped("18, so", None)) == ""


@pytest.mark.parametrize(("opens", "closes"), PAIRS)
def test_a_tag_is_closed_by_its_own_kind(opens, closes):
    closed = f"{opens}\nso far\n{thinking.closing(opens.rstrip())}\n7"
    assert thinking.visible(closed) == "7"
    assert thinking.unpaired(closed) == ""
    spelled = thinking.closing(opens.rstrip()).casefold()
    assert spelled == closes.replace(" ", "").casefold()


def test_a_studys_own_tag_is_closed_by_its_own():
    with thinking.also(("<<musing", "musing>>")):
        assert thinking.closing("<<Musing") == "musing>>"
    assert thinking.closing("<<musing") == thinking.CLOSE


@pytest.mark.parametrize(
    ("text", "led"),
    [
        ("<think>\na\n</think>\n\nb", ("\na\n", "\n\nb")),
        (" \n[THINK]a[/THINK]b", ("a", "b")),
        ("b", None),
        ("", None),
        ("<think>a", None),
        ("a</think>b", None),
        ("Well. <think>a</think>b", None),
    ],
)
def test_the_thought_that_a_text_begins_with(text, led):
    assert thinking.led_by(text) == led


@pytest.mark.parametrize(
    ("prompt", "before"),
    [
        ("Q<|assistant|>", "Q<|assistant|>"),
        ("Q<|assistant|><think>\n", "Q<|assistant|>"),
        ("Q<|assistant|>\n<think>\n\n</think>\n\n", "Q<|assistant|>\n"),
        ("Q<|assistant|><think></think>", "Q<|assistant|>"),
        ("<think>a</think> Q<|assistant|>", "<think>a</think> Q<|assistant|>"),
        ("Q<think>a</think>", "Q<think>a</think>"),
        ("</think>Q", "</think>Q"),
    ],
)
def test_a_prompt_without_what_opens_or_skips_a_thought(prompt, before):
    assert thinking.before_last(prompt) == before
