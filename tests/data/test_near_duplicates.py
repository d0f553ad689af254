import random
from itertools import islice

import pytest

from phi_kit import domains
from phi_kit.data.generators import generate_items
from phi_kit.data.near_duplicates import NearDuplicateIndex
from phi_kit.data.records import Seed
from phi_kit.data.sealed_splits import Seal
from phi_kit.data.tokenize import jaccard, shingles

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


def stories(seed: int, n: int) -> tuple[list[str], list[str]]:
    """Word problems of different templates, each often, with a few words changed."""
    draw = random.Random(seed)
    (family,) = domains.get("math").chosen(["word"])
    first: list[str] = []
    for item in islice(
        generate_items("math", family, rng_seed=seed, split="train"), 400
    ):
        own = shingles(item.prompt)
        if all(jaccard(own, shingles(other)) < 0.6 for other in first):
            first.append(item.prompt)
    pairs = [(prompt, _edited(prompt, draw)) for prompt in first for _ in range(n)]
    return [one for one, _ in pairs], [other for _, other in pairs]


def _edited(prompt: str, draw: random.Random) -> str:
    said = prompt.split()
    for _ in range(draw.randint(1, 4)):
        at = draw.randrange(1, len(said) - 1)
        if any(c.isdigit() for c in said[at] + said[at + 1]):
            continue
        kind = draw.randrange(3)
        if kind == 0:
            said[at] = draw.choice(WORDS)
        elif kind == 1:
            said[at], said[at + 1] = said[at + 1], said[at]
        else:
            said.insert(at, draw.choice(WORDS))
    return " ".join(said)


CORPORA = {
    "made-up words": lambda: corpus(1, 1200),
    "other made-up words": lambda: corpus(2, 1200),
    "word problems": lambda: stories(7, 12),
}


def known_pairs(name: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The prompts of a corpus, and those with what was made of them: Jaccard >= .8."""
    first, second = CORPORA[name]()
    pairs = [
        (changed, prompt)
        for prompt, changed in zip(first, second, strict=True)
        if changed != prompt and jaccard(shingles(prompt), shingles(changed)) >= 0.8
    ]
    assert len(pairs) > 300
    return list(dict.fromkeys(first)), pairs


@pytest.mark.slow
@pytest.mark.parametrize("name", CORPORA)
def test_recall_on_a_corpus_of_known_overlap(name):
    prompts, pairs = known_pairs(name)
    near = NearDuplicateIndex(0.8)
    for prompt in prompts:
        assert near.find_duplicate(prompt) is None
    found = sum(near.find_duplicate(changed) == prompt for changed, prompt in pairs)
    assert found / len(pairs) >= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("name", CORPORA)
def test_the_seal_finds_the_near_duplicates_of_its_items(name):
    prompts, pairs = known_pairs(name)
    sealed = [Seed("math", prompt, "1", family="known") for prompt in prompts]
    names = {item.prompt: item.id for item in sealed}
    seal = Seal(sealed)
    hits = [(seal.hit(changed), names[prompt]) for changed, prompt in pairs]
    assert sum(bool(hit) and hit.item == name for hit, name in hits) >= 0.97 * len(hits)


def test_nothing_else_is_called_a_duplicate():
    first, second = corpus(3, 600)
    near = NearDuplicateIndex(0.8)
    for prompt in first:
        near.find_duplicate(prompt)
    for a, b in zip(first, second, strict=True):
        if near.find_duplicate(b) is not None:
            assert jaccard(shingles(a), shingles(b)) >= 0.8


STORY = "Tom has {} apples and gives {} of them to his sister Ann. How many are left?"


def test_other_numbers_are_another_question():
    near = NearDuplicateIndex()
    numbers = [(9, 4), (9, 5), (4, 9), (19, 4), (9.5, 4)]
    assert not any(near.find_duplicate(STORY.format(*pair)) for pair in numbers)
    assert near.find_duplicate(
        STORY.format(9, 4).replace("them", "these")
    ) == STORY.format(9, 4)


def test_another_sign_is_another_question():
    near = NearDuplicateIndex()
    asked = "Work out the following carefully, and then write down only the number: {}"
    assert not any(
        near.find_duplicate(asked.format(x)) for x in ("3 - 4", "3 + 4", "4 - 3")
    )


@pytest.mark.parametrize("prompt", ["", "a", "?", "日本", "\ufffd" * 3])
def test_odd_prompts(prompt):
    near = NearDuplicateIndex()
    assert near.find_duplicate(prompt) is None
    assert near.find_duplicate(prompt) == prompt
