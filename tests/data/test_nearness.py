import random

import pytest

from phi_kit.data.nearness import Near
from phi_kit.data.words import jaccard, shingles

WORDS = [
    a + b
    for a in ("bre", "cla", "dro", "fli", "gru", "hes", "kin", "lom", "mar", "nep")
    for b in ("ton", "vale", "stic", "rd", "ming", "sh", "per", "qua", "lend", "x")
]


def corpus(seed: int, n: int) -> tuple[list[str], list[str]]:
    """Prompts, and each again with a few words changed, left out or swapped."""
    draw = random.Random(seed)
    first, second = [], []
    for _ in range(n):
        said = draw.choices(WORDS, k=draw.randint(8, 40))
        said[2] = str(draw.randint(2, 999))
        first.append(" ".join(said))
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(3, len(said) - 1)
            kind = draw.randrange(3)
            if kind == 0:
                said[at] = draw.choice(WORDS)
            elif kind == 1:
                said[at], said[at + 1] = said[at + 1], said[at]
            else:
                said.insert(at, draw.choice(WORDS))
        second.append(" ".join(said))
    return first, second


@pytest.mark.parametrize("seed", [1, 2])
def test_recall_on_a_corpus_of_known_overlap(seed):
    first, second = corpus(seed, 1200)
    near = Near(0.8)
    for prompt in first:
        assert near.twin(prompt) is None
    alike = [
        jaccard(shingles(a), shingles(b)) for a, b in zip(first, second, strict=True)
    ]
    pairs = [(b, a) for a, b, j in zip(first, second, alike, strict=True) if j >= 0.8]
    found = sum(near.twin(b) == a for b, a in pairs)
    assert len(pairs) > 300
    assert found / len(pairs) >= 0.97


def test_nothing_else_is_called_a_duplicate():
    first, second = corpus(3, 600)
    near = Near(0.8)
    for prompt in first:
        near.twin(prompt)
    for a, b in zip(first, second, strict=True):
        if near.twin(b) is not None:
            assert jaccard(shingles(a), shingles(b)) >= 0.8


STORY = "Tom has {} apples and gives {} of them to his sister Ann. How many are left?"


def test_other_numbers_are_another_question():
    near = Near()
    numbers = [(9, 4), (9, 5), (4, 9), (19, 4), (9.5, 4)]
    assert not any(near.twin(STORY.format(*pair)) for pair in numbers)
    assert near.twin(STORY.format(9, 4).replace("them", "these")) == STORY.format(9, 4)


def test_another_sign_is_another_question():
    near = Near()
    asked = "Work out the following carefully, and then write down only the number: {}"
    assert not any(near.twin(asked.format(x)) for x in ("3 - 4", "3 + 4", "4 - 3"))


@pytest.mark.parametrize("prompt", ["", "a", "?", "日本", "\ufffd" * 3])
def test_odd_prompts(prompt):
    near = Near()
    assert near.twin(prompt) is None
    assert near.twin(prompt) == prompt
