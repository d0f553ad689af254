import pytest

from phi_kit.data.records import Seed, normalise_prompt
from phi_kit.data.sealed_splits import Seal

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
    assert normalise_prompt(hit.span)[:20] in normalise_prompt(prompt).replace(".", "")


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


def test_a_phrase_of_everyday_words_needs_the_numbers_too():
    things = [f"{a}{b}s" for a in ("bar", "lim", "top", "gon") for b in "abcdefghijkl"]
    common = [
        f"How many {thing} does he spend a week, given {n} hours?"
        for n, thing in enumerate(things, 10)
    ]
    phrase = "how many hours a week does he spend"
    item = f"Jon sails to 3 lakes and 4 ponds, 2 days each; {phrase} on board?"
    seal = natural(*common, item)
    assert f"Tim writes 10 pages for 4 of his friends; {phrase} on it?" not in seal
    hit = seal.hit(f"Ann rows over 3 seas and 4 rivers, on 2 days. So {phrase} there?")
    assert (hit.item, hit.span) == (Seed("math", item, "1").id, phrase)


@pytest.mark.parametrize("n", [4, 6])
def test_the_same_options_are_not_the_same_question(n):
    options = " ".join(f"{letter}) {i}" for i, letter in enumerate("ABCDEF"[:n], 1))
    seal = natural(f"How many legs has an ant? {options}")
    assert f"Which of these is the smallest prime? {options}" not in seal


def test_units_that_change_places_ask_something_else():
    seal = natural("How many mm are 4 cm?")
    assert "How many cm are 4 mm?" not in seal
    assert "how  many mm are 4 cm, please" in seal


BOARD = "Fill in this board, each number once in a row:\n{}"


def made(family: str, frame: str, fillings: list[str], drawn: list[str]) -> Seal:
    """A seal over items that a program fills in, with draws of their family."""
    items = [Seed("puzzles", frame.format(f), "1", family=family) for f in fillings]
    return Seal(items, {family: [frame.format(f) for f in drawn]})


def test_empty_fields_of_a_board_are_content():
    rows = ["_ 1 _ 2", "1 _ _ 2", "_ _ 1 2", "1 2 _ _", "2 _ 1 _", "_ 2 _ 1", "_ 2 1 _"]
    boards = [f"{one}\n{two}" for one in rows for two in rows]
    seal = made("board", BOARD, ["1 _ 2 _\n_ _ _ _"], boards)
    item = BOARD.format("1 _ 2 _\n_ _ _ _")
    assert not any(BOARD.format(board) in seal for board in boards)
    # The same numbers elsewhere, and a larger board.
    assert BOARD.format("1 _ _ 2\n_ _ _ _") not in seal
    assert BOARD.format("1 _ 2 _\n_ _ _ _\n_ _ _ _") not in seal
    assert " ".join(item.split()) in seal
    assert f"please solve: {item}\nthanks" in seal


def test_a_longer_sequence_is_another_one():
    frame = "{}, ?"
    drawn = [f"{n}, {n + 1}, {n}, {n + 2}" for n in range(30)]
    seal = made("sequence", frame, ["1, 0, 0, 0"], drawn)
    assert "7, 3, 1, 0, 0, 0, ?" not in seal
    assert "1, 0, 0, 0, 0, ?" not in seal
    assert "Go on: 1, 0, 0, 0, ? Thanks" in seal


def test_numbers_found_by_chance_are_not_the_item():
    frame = "Sort the following numbers from the smallest to the largest one: {}"
    drawn = [f"{n}, {n + 2}, {n + 1}" for n in range(2, 200, 3)]
    seal = made("sort", frame, ["4, 9, 2"], drawn)
    assert frame.format("9, 4, 2") not in seal
    assert frame.format("4, 7, 9, 2") not in seal
    assert frame.format("4, 9, 2, 1") not in seal
    assert "There are 4 red, 9 blue and 2 green kites. How many kites?" not in seal
    assert f"Hello. {frame.format('4,9,2')}. Bye" in seal


@pytest.mark.parametrize("item", ["42?", "2, 4", "Why not?"])
def test_one_or_two_words_count_only_as_the_whole_prompt(item):
    seal = natural(item)
    assert item.lower() in seal
    assert f"please solve: {item} thanks" not in seal
