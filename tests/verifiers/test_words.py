"""Choice and exact answers: a guesser earns nothing by saying everything."""

import pytest

from phi_kit.data.records import Seed
from phi_kit.verifiers import choice, exact


@pytest.mark.parametrize(
    ("gold", "response", "value"),
    [
        ("Yes", "yes", "right"),
        ("Yes", "**Yes.** It follows.", "right"),
        ("No", "No", "right"),
        ("False", "The answer is FALSE", "right"),
        ("Yes", "No", "wrong"),
        ("Yes", "Yes and no", "wrong"),
        ("Yes", "", "wrong"),
        ("Yes", "yesterday", "wrong"),
        ("No", "I do not know", "wrong"),
        ("True", "That is not true", "wrong"),
        ("True", "It isn't true", "wrong"),
        ("True", "Yes", "wrong"),
        ("Yes", "<think>yes</think>no", "wrong"),
        ("Yes", "<think>no</think>yes", "right"),
        ("Yes", "Yes or something else", "wrong"),
        ("No", "Is it yes or no? No.", "right"),
        ("maybe", "maybe", "unknown"),
    ],
)
def test_choice(gold, response, value):
    assert choice.verify(Seed("puzzles", "?", gold), response).value == value


@pytest.mark.parametrize(
    ("gold", "response", "value"),
    [
        ("Paris", "paris", "right"),
        ("Paris", '"Paris".', "right"),
        ("Paris", "Let me see.\nAnswer: Paris", "right"),
        ("Paris", "It is Paris or London", "wrong"),
        ("Paris", "", "wrong"),
        ("Paris", "Pari", "wrong"),
        ("new york", "New   York", "right"),
        ("", "Paris", "unknown"),
    ],
)
def test_exact(gold, response, value):
    assert exact.verify(Seed("words", "?", gold), response).value == value
