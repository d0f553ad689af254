"""IFEval's 25 kinds of instruction: one answer that follows each, one that does not."""

import json

import pytest

from phi_kit.data.records import Seed
from phi_kit.verifiers.instruction_following import CHECKS, verify

# Instruction, arguments, an answer that follows it, one that does not.
CASES = [
    ("keywords:existence", {"keywords": ["cat", "dog"]}, "A Cat and a dog", "a cat"),
    (
        "keywords:frequency",
        {"keyword": "tea", "frequency": 2, "relation": "at least"},
        "tea, tea",
        "tea",
    ),
    (
        "keywords:frequency",
        {"keyword": "tea", "frequency": 2, "relation": "less than"},
        "one tea",
        "tea tea",
    ),
    ("keywords:forbidden_words", {"forbidden_words": ["rain"]}, "a train", "no rain"),
    (
        "keywords:letter_frequency",
        {"letter": "z", "let_frequency": 2, "let_relation": "at least"},
        "Zigzag",
        "zoo",
    ),
    (
        "language:response_language",
        {"language": "de"},
        "Der Hund schläft heute im Garten unter dem alten Baum.",
        "The dog sleeps in the garden under the old tree today.",
    ),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 3, "relation": "less than"},
        "One thing. Another thing.",
        "One. Two things. Three things. Four things.",
    ),
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 2},
        "first\n***\nsecond",
        "only one",
    ),
    (
        "length_constraints:number_words",
        {"num_words": 4, "relation": "at least"},
        "one two three four",
        "one two three",
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "then"},
        "First this.\n\nThen that.",
        "First this.\n\nNow that.",
    ),
    (
        "detectable_content:number_placeholders",
        {"num_placeholders": 2},
        "[name] lives in [city]",
        "[name] lives",
    ),
    (
        "detectable_content:postscript",
        {"postscript_marker": "P.S."},
        "Bye.\nP.S. Write soon.",
        "Bye.",
    ),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 2},
        "* one\n* two",
        "* one\n* two\n* three",
    ),
    (
        "detectable_format:constrained_response",
        {},
        "My answer is maybe.",
        "Perhaps.",
    ),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        "*one* and **two**",
        "*one* only",
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "SECTION", "num_sections": 2},
        "SECTION 1\na\nSECTION 2\nb",
        "SECTION 1\na",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', "{a: 1"),
    ("detectable_format:title", {}, "<<A title>>\ntext", "A title\ntext"),
    ("combination:two_responses", {}, "one\n******\ntwo", "one\n******\none"),
    (
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Say it."},
        "Say it. It is said.",
        "It is said.",
    ),
    (
        "startend:end_checker",
        {"end_phrase": "Is that all?"},
        "Well. Is that all?",
        "Is that all? Well.",
    ),
    ("startend:quotation", {}, '"all of it"', '"part" of it'),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        "VERY GOOD news",
        "VERY good news",
    ),
    (
        "change_case:english_capital",
        {},
        "THIS IS WRITTEN IN CAPITAL LETTERS FOR ALL OF US TO READ.",
        "This is written in small letters for all of us to read.",
    ),
    (
        "change_case:english_lowercase",
        {},
        "this is written in small letters for all of us to read.",
        "This is written in small letters for all of us to read.",
    ),
    ("punctuation:no_comma", {}, "no such sign", "one, two"),
]


def item(*pairs):
    names, given = [name for name, _ in pairs], [told for _, told in pairs]
    extra = {"instruction_id_list": names, "kwargs": given}
    return Seed("ifeval", "Do it.", "", extra=json.dumps(extra))


def test_every_instruction_has_a_case():
    assert {case[0] for case in CASES} == set(CHECKS)
    assert len(CHECKS) == 25


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_each_instruction_tells_followed_from_not(case):
    name, given, good, bad = case
    # The data set names every argument of every kind, those that say nothing as null.
    asked = item((name, {"num_words": None, **given}))
    assert verify(asked, good).value == "right"
    found = verify(asked, bad)
    assert found.value == "wrong"
    assert name in found.reason


def test_all_of_an_items_instructions_count():
    asked = item(
        ("punctuation:no_comma", {}), ("keywords:existence", {"keywords": ["cat"]})
    )
    assert verify(asked, "a cat").right
    assert verify(asked, "a cat, a dog").value == "wrong"
    assert verify(asked, "a dog").value == "wrong"


def test_the_loose_reading_forgives_a_first_line_and_asterisks():
    asked = item(("startend:quotation", {}))
    assert verify(asked, '"this"').lenient == "right"
    found = verify(asked, 'Sure, here it is:\n"this"')
    assert (found.value, found.lenient) == ("wrong", "right")
    assert verify(asked, "this").lenient == "wrong"


@pytest.mark.parametrize(
    "extra",
    [
        {"instruction_id_list": ["keywords:rhyme"], "kwargs": [{}]},
        {"instruction_id_list": ["punctuation:no_comma"], "kwargs": []},
        {},
    ],
)
def test_an_item_that_nobody_can_check_is_unknown(extra):
    seed = Seed("ifeval", "Do it.", "", extra=json.dumps(extra))
    assert verify(seed, "anything").value == "unknown"


def test_an_empty_answer_follows_nothing():
    assert verify(item(("punctuation:no_comma", {})), "  ").value == "wrong"
