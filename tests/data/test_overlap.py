from itertools import islice

import pytest

from phi_kit import domains
from phi_kit.data.procedural import items
from phi_kit.data.records import Seed, normal
from phi_kit.data.seal import Seal

STORY = (
    "Vanessa packs orders with peanuts. A large order needs 200g of packing peanuts "
    "while a small one needs just 50g. How many orders has she sent with 3kg?"
)


def natural(*prompts: str) -> Seal:
    return Seal([Seed("math", prompt, "1", family="gsm8k") for prompt in prompts])


@pytest.mark.parametrize(
    ("how", "prompt"),
    [
        ("exact", STORY.upper().replace(". ", ".\n")),
        ("8-gram", "She knows: a large order needs 200g of packing peanuts. Why?"),
        ("8-gram", STORY.replace("Vanessa", "Mary").replace("3kg", "4kg")),
        ("contained", f"Hello! {STORY} Thanks."),
    ],
)
def test_a_long_item_is_found(how, prompt):
    hit = natural(STORY).hit(prompt)
    assert hit.item == Seed("math", STORY, "1").id
    assert (hit.domain, hit.family) == ("math", "gsm8k")
    if how != "contained":  # eight words in a row say as much
        assert hit.how == how
    assert normal(hit.span)[:20] in normal(prompt).replace(".", "")


CAPITAL = "What is the capital of France?"


@pytest.mark.parametrize(
    "prompt",
    [
        "what is the capital of france",
        "What is the  capital, of France ?!",
        "What is the capital of Frnace?",
        "What is the capital city of France?",
        "Answer in one word. What is the capital of France? Do not explain.",
    ],
)
def test_a_short_item_is_found(prompt):
    assert natural(CAPITAL).hit(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "What is the capital of Greece?",
        "What is the currency of France?",
        "How many people live in the capital of France?",
        "",
        "?",
        "42",
    ],
)
def test_a_short_item_is_not_seen_in_others(prompt):
    assert natural(CAPITAL).hit(prompt) is None


def test_numbers_and_operators_tell_short_prompts_apart():
    seal = natural("What is 12 - 7?")
    others = ("What is 12 - 8?", "What is 7 - 12?", "What is 12 + 7?", "What is 12.7?")
    assert not any(other in seal for other in others)
    assert "what is 12 − 7" in seal


def test_words_that_many_items_share_are_template_text():
    frame = "Read the question with care and answer with one letter only please: {}"
    names = [f"thing{a} of kind{b}" for a in "abcdefghij" for b in "uvwxyz"]
    seal = natural(*(frame.format(name) for name in names))
    assert frame.format("a whale and its calf") not in seal
    assert frame.format(names[7]) in seal


def test_second_pass_sees_past_template_text_in_between():
    frame = "Now think step by step about the following and then go on: "
    long = "Anna saw {} red kites over {} hills when old Ben drove by"
    one, two = long.format("seven", "four"), "in a cart that was full of sweet hay"
    sealed = f"{one[:30]} {frame} {one[30:]} {two}"
    others = [f"{frame} item {word}" for word in ("a", "b", "c", "d", "e", "f")]
    hit = natural(sealed, *others).hit(f"{one} {frame} {two}")
    assert hit is not None


@pytest.fixture(scope="module")
def generated() -> tuple[Seal, list[Seed], list[Seed]]:
    """A seal over the families of two domains, its items, 10,000 rows of training."""
    sealed, draws, rows = [], {}, []
    for name in ("math", "puzzles"):
        domain = domains.get(name)
        for family in (f for f in domain.families if f.usual or f.name == "word"):
            for split in ("dev", "test"):
                stream = items(name, family, rng_seed=7, split=split)
                sealed += islice(stream, 30)
            stream = items(name, family, rng_seed=7, split="draws")
            draws[family.name] = [item.prompt for item in islice(stream, 500)]
            rows.append(items(name, family, rng_seed=7, split="train"))
    each = -(-10_600 // len(rows))
    rows = [seed for stream in rows for seed in islice(stream, each)]
    return Seal(sealed, draws), sealed, rows


@pytest.mark.parametrize("n", [2_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_no_clean_row_is_hit(generated, n):
    seal, sealed, rows = generated
    kept = {normal(item.prompt) for item in sealed}
    clean = [seed for seed in rows if normal(seed.prompt) not in kept]
    clean = clean[:: max(len(clean) // n, 1)][:n]
    hits = [(seed.prompt, seal.hit(seed.prompt)) for seed in clean]
    by_item = {item.id: item.prompt for item in sealed}
    false = [
        (prompt, hit)
        for prompt, hit in hits
        # The same story with the same numbers about another person is a true hit.
        if hit and digits(prompt) != digits(by_item[hit.item])
    ]
    assert len(clean) == n or len(clean) > 9_000
    assert not false
    assert sum(hit is not None for _, hit in hits) <= 3


def digits(prompt: str) -> list[str]:
    return [c for c in prompt if c.isdigit()]


def test_every_sealed_item_is_hit_whatever_stands_around_it(generated):
    seal, sealed, _ = generated
    for item in sealed:
        assert item.prompt in seal
        assert item.prompt.replace(" ", "  ").upper() in seal
        assert f"Think before you answer. {item.prompt} Be brief." in seal


@pytest.mark.parametrize("form", ["{}", "What is {}?", "Calculate {}", "please: {} ="])
def test_arithmetic_in_other_words_is_hit(generated, form):
    seal, sealed, _ = generated
    sums = [item for item in sealed if item.family == "sum-2"]
    for item in sums:
        sum_ = item.prompt.partition(": ")[2].rstrip(" =")
        assert form.format(sum_) in seal
