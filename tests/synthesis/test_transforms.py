"""Every offline transform: answers and worked lines confirmed a second time."""

import itertools
import json
from collections import Counter
from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest
from row_confirmed import CONFIRMED
from words_read import written_down
from worked_checks.reading import FaultError

from phi_kit import domains
from phi_kit.core.errors import StudyError
from phi_kit.core.rng import rng
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed
from phi_kit.domains import custom
from phi_kit.domains.registry import OWN
from phi_kit.domains.transform import Transform, made_row
from phi_kit.responses.from_worked import WorkedSource
from phi_kit.steps import pick_domain
from phi_kit.steps.synthesize import Params
from phi_kit.synthesis import known_transforms
from phi_kit.synthesis.instances import completed, same_family, solved_again
from phi_kit.synthesis.program_words import UntoldError, told

OFFLINE = {
    f"{name}.{one.name}": (name, one)
    for name in OWN
    for one in known_transforms.transforms_of(domains.get(name)).values()
    if one.needs == "nothing"
}
# Their rows start a sandbox each, or more of them.
SANDBOXED = {"coding.renumber", "coding.word_puzzle", "coding.output_prediction"}
SANDBOXED |= {"coding.bug_fix"}
INSTANCES = {f"{name}.same_family" for name in OWN}
# Families whose worked solution another program confirms line by line.
FAMILIES = [(n, f) for n in OWN for f in domains.get(n).families]
SLOW_TO_MAKE = {"countdown", "word", "queens", "hanoi", "anagrams", "write-line"}
SLOW_TO_MAKE |= {"write-list", "write-program", "sequence", "knights", "palindrome"}


def proofs():
    """Worked answers that end in a fraction or a whole number, as sources have them."""
    for n in itertools.count():
        draw = rng(n, "proofs")
        a, b = (int(x) for x in draw.integers(2, 60, size=2))
        asked = f"A bag holds {a} red and {a + b} blue balls. What share is red?"
        line = f"There are {a} + {a + b} = {2 * a + b} balls, {a} of them red."
        yield Seed(
            "math", asked, f"{line}\nSo it is \\boxed{{\\frac{{{a}}}{{{2 * a + b}}}}}"
        )
        yield Seed("math", asked, f"{a}/{2 * a + b}", solution=line)
        total = f"Prove how many balls a bag of {a} red and {b} blue holds."
        yield Seed("math", total, f"{a} + {b} = {a + b}, so there are\n#### {a + b}")


def choices(rng_seed):
    """Choices among quantities, as sources have them; the kit's own tables have few."""
    for n in range(40):
        draw = rng(rng_seed, "choices", n)
        pace, hours = int(draw.integers(13, 120)), int(draw.integers(2, 12))
        values = [pace, pace + hours, pace * hours, 2 * pace + hours]
        options = {
            letter: f"{values[place]} km/h"
            for letter, place in zip("ABCD", draw.permutation(4), strict=True)
        }
        right = next(key for key, said in options.items() if said == f"{pace} km/h")
        asked = f"A car travels {pace * hours} km in {hours} h. How fast is it?"
        listed = [f"{letter}) {said}" for letter, said in options.items()]
        yield Seed(
            "stem",
            "\n".join([asked, *listed]),
            right,
            extra=json.dumps({"choices": options}),
            solution=f"{pace * hours} / {hours} = {pace}",
        )


def parents(name):
    """Seeds of all of a domain's families in turn, without an end."""
    if name == "math.short_answer":
        yield from proofs()
    domain, _ = OFFLINE[name]
    families = [
        one
        for one in domains.get(domain).families
        if name in INSTANCES
        or not (one.entry or one.name in ("word", "sequence", "bits"))
    ]
    for rng_seed in itertools.count(3):
        streams = [
            itertools.islice(
                generate_items(domain, one, rng_seed=rng_seed, split="train"),
                8 if name in INSTANCES and one.name in SLOW_TO_MAKE else 40,
            )
            for one in families
        ]
        if name == "stem.as_number":
            streams.append(choices(rng_seed))
        for together in itertools.zip_longest(*streams):
            yield from (seed for seed in together if seed)


def confirmed(name, n, seeds=None):
    """So many rows of a transform, by the family of their seed; each is confirmed."""
    _, transform = OFFLINE[name]
    made = Counter()
    for tried, seed in enumerate(seeds or parents(name), 1):
        assert tried < 60 * n, f"{made} rows of {tried} seeds"
        for row in transform(seed, 5):
            assert (row.parent, row.domain) == (seed.id, seed.domain)
            assert row.source == f"transform/{transform.name}"
            # Those of small numbers may draw the same again: a gate drops these.
            assert name not in INSTANCES or row.prompt != seed.prompt
            try:
                CONFIRMED[name](seed, row)
            except FaultError as error:
                raise AssertionError(
                    f"{error}\n{row.prompt}\n{row.solution}"
                ) from error
            made[seed.family] += 1
        if made.total() >= n:
            break
    return made


def test_every_offline_transform_is_confirmed():
    assert set(CONFIRMED) == set(OFFLINE)
    assert len(OFFLINE) >= 16


@pytest.mark.parametrize("name", sorted(set(OFFLINE) - SANDBOXED - INSTANCES))
def test_a_few_rows_are_confirmed(name):
    assert confirmed(name, 24).total() >= 24


@pytest.mark.parametrize("name", sorted(SANDBOXED))
def test_a_few_programs_are_confirmed(name):
    assert confirmed(name, 4).total() >= 4


@pytest.mark.sweep
@pytest.mark.parametrize("name", sorted(OFFLINE))
def test_five_hundred_rows_are_confirmed(name):
    made = confirmed(name, 500)
    assert made.total() >= 500
    if name in INSTANCES:
        assert set(made) == {one.name for one in domains.get(OFFLINE[name][0]).families}


@pytest.mark.parametrize(
    ("name", "one"),
    [pair for pair in FAMILIES if pair[1].name not in SLOW_TO_MAKE],
    ids=lambda x: getattr(x, "name", x),
)
def test_a_few_instances_are_confirmed(name, one):
    seeds = generate_items(name, one, rng_seed=3, split="train")
    made = confirmed(f"{name}.same_family", 3, itertools.islice(seeds, 12))
    assert made == {one.name: 3}


def test_an_instance_asks_in_its_parents_style():
    (one,) = domains.get("math").in_style("steps").chosen(["product-1"])
    seed = next(generate_items("math", one, rng_seed=3, split="train"))
    assert "Give only" not in same_family(seed, 5)[0].prompt
    (one,) = domains.get("math").chosen(["product-1"])
    seed = next(generate_items("math", one, rng_seed=3, split="train"))
    assert "Give only" in same_family(seed, 5)[0].prompt


def test_a_puzzle_with_two_solutions_is_not_made():
    (one,) = domains.get("puzzles").chosen(["sudoku-4"])
    seed = next(generate_items("puzzles", one, rng_seed=3, split="train"))
    assert solved_again(seed)
    blank = "\n".join(["_ _ _ _"] * 4) + "\n"
    assert not solved_again(replace(seed, prompt=blank))
    # As many 4x4 sudokus as there are (oeis.org/A107739).
    assert len(list(completed([["_"] * 4 for _ in range(4)]))) == 288


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("Ann counts 3 + 4 = 7 apples and eats 2. How many are left?", "5"),
        ("2 * 3 + 4 =", "10"),
        ("Find the Least Common Multiple (LCM) of these numbers: 4, 6", "12"),
        ("How many cats have 3 cows?", "0"),
        ("Prove that there are infinitely many primes.", "proof"),
        ("What share is it?", "3/0"),
        ("How many are there?", "12"),
    ],
)
def test_what_cannot_be_read_is_left_alone(prompt, answer):
    seed = Seed("math", prompt, answer)
    for one in known_transforms.transforms_of(domains.get("math")).values():
        if one.needs == "nothing":
            assert one(seed, 1) == [], one.name


@pytest.mark.parametrize(
    "program",
    [
        "import os\nprint(1)",
        "x = {1: 2}\nprint(x)",
        "def f(x):\n    y = x\n    return y\nprint(f(2))",
        "x = 5",
        "print(1.5)",
        "for i in range(2, 9, 3):\n    print(i)",
        "print('a' in ['a'])",
        "print(not True)",
    ],
)
def test_a_program_that_has_no_words_is_not_told(program):
    with pytest.raises(UntoldError):
        told(program)


def test_a_puzzle_says_what_its_program_does():
    program = (
        'total = 0\nfor letter in "banana":\n    if letter in "aeiou":\n'
        "        total += 2\n    else:\n        total -= 1\nprint(total)"
    )
    words = told(program)
    assert "def" not in words
    assert "range" not in words
    assert written_down(words) == "3"


def test_a_choice_without_a_number_or_that_needs_its_options_stays_a_choice():
    as_number = known_transforms.transforms_of(domains.get("stem"))["as_number"]
    asked = "How many legs has an insect?\nA) 4\nB) 6"
    facts = '{"choices": {"A": "4", "B": "6"}}'
    (row,) = as_number(Seed("stem", asked, "B", extra=facts), 1)
    assert (row.answer, row.prompt) == (
        "6",
        "How many legs has an insect? Answer with a number.",
    )
    verify = domains.get("stem").verifier
    assert verify(row, "6").right
    assert verify(row, "4").value == "wrong"
    which = asked.replace("How many", "Which of these is how many")
    assert as_number(Seed("stem", which, "B", extra=facts), 1) == []


# --- names, plug-ins, studies ---


def test_a_study_without_names_gets_the_usual_ones():
    names = {d: [t.name for t in known_transforms.chosen(domains.get(d))] for d in OWN}
    assert names == {
        "math": ["swap", "renumber", "story"],
        "coding": ["renumber"],
        "puzzles": ["another_letter", "backwards"],
        "stem": ["renumber"],
        "safety": ["twin"],
    }


def test_a_name_that_is_not_known_is_refused_with_the_nearest():
    with pytest.raises(StudyError, match="did you mean 'backward'"):
        known_transforms.chosen(domains.get("math"), ["bakward"])
    with pytest.raises(StudyError, match="did you mean 'backward'"):
        Params.validated({"transforms": ["bakward"]}, where="here")
    given = {"domain": "mine", "custom": {"verifier": "numeric", "sources": []}}
    given["custom"]["transforms"] = ["math.bakward"]
    with pytest.raises(StudyError, match=r"no transform 'math\.bakward'"):
        pick_domain.Params.validated(
            given | {"custom": {**given["custom"], "sources": [{"hub": "a/b"}]}},
            where="here",
        )


def doubled(seed, rng_seed):
    """Twice as much."""
    number = int(seed.answer)
    return [
        made_row(seed, "doubled", prompt=f"{seed.prompt} Twice?", answer=2 * number)
    ]


DOUBLED = Transform("doubled", doubled, about="twice as much")


def test_a_package_adds_a_transform(monkeypatch):
    points = [EntryPoint("doubled", f"{__name__}:DOUBLED", known_transforms.GROUP)]
    monkeypatch.setattr(known_transforms, "_entry_points", lambda path: points)
    for name in OWN:  # it is for any domain
        assert "doubled" in known_transforms.transforms_of(domains.get(name))
    (row,) = DOUBLED(Seed("math", "What is 3 + 4?", "7"), 1)
    assert row.answer == "14"
    points[0] = EntryPoint("other", f"{__name__}:DOUBLED", known_transforms.GROUP)
    with pytest.raises(StudyError, match="no transform of that name"):
        known_transforms.chosen(domains.get("math"))
    points[0] = EntryPoint("other", "no_such_module:X", known_transforms.GROUP)
    with pytest.raises(StudyError, match="cannot be loaded: ModuleNotFoundError"):
        known_transforms.chosen(domains.get("math"))


def test_a_study_names_transforms_for_its_own_domain():
    definition = custom.Definition.model_validate(
        {
            "verifier": "numeric",
            "sources": [{"hub": "a/b"}],
            "transforms": ["math.swap"],
        }
    )
    domain = custom.build("mine", definition)
    (swap,) = known_transforms.chosen(domain)
    (row,) = swap(Seed("mine", "What is 3 + 4 =", "7"), 1)
    assert (row.prompt, row.domain) == ("What is 4 + 3 =", "mine")
    assert domain.verifier(row, row.answer).right


def test_a_row_that_brings_its_solution_is_answered_by_it():
    backward = known_transforms.transforms_of(domains.get("math"))["backward"]
    seed = Seed("mine", "What is 13 + 24 =", "37")
    (row,) = backward(seed, 1)
    (response,) = WorkedSource("steps").offer([row])
    assert response.text == row.solution
    assert list(WorkedSource("steps").offer([replace(seed, solution="so")])) == []
