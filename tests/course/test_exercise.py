"""An answer is right, wrong with a hint of its own, untouched, or fails on its own."""

import traceback

import pytest

from phi_kit.course import lesson1, lesson2, lesson3, lesson4, lesson5, lesson6, lesson7
from phi_kit.course.exercise import FUNCTION, Exercise, WrongAnswerError

LESSONS = (lesson1, lesson2, lesson3, lesson4, lesson5, lesson6, lesson7)


def first_number(text):
    import re

    return (re.findall(r"\d+", text) or [None])[0]


def last_number(text):
    import re

    return (re.findall(r"\d+", text) or [None])[-1]


def marked_number(text):
    import re

    marked = re.search(r"Answer: (\d+)", text)
    return marked[1] if marked else last_number(text)


def pass_at_k(n, c, k):
    from math import comb

    return 1 - comb(n - c, k) / comb(n, k)


def all_of_k(n, c, k):
    from math import comb

    return comb(c, k) / comb(n, k)


def in_numbers(text):
    found = marked_number(text)
    return found if found is None else int(found)


def never_silent(text):
    return marked_number(text) or ""


def missing_factor(product, known):
    return None if known == 0 or product % known else product // known


# Of each exercise a right answer, and typical wrong ones with words of their hints.
CASES = {
    (lesson1, "low_end"): (
        0.133,
        [
            (0.15, "no two items"),
            (0.1216, "symmetric"),
            (0.2888, "upper end"),
            (13.3, "not in per cent"),
            (0.5, r"wilson\(right, n\)"),
        ],
    ),
    (lesson1, "answer_reader"): (
        marked_number,
        [
            (last_number, "later remark"),
            (first_number, "first number"),
            (in_numbers, "text is asked for"),
            (never_silent, "return None"),
            (lambda text: "17", "one by one"),
        ],
    ),
    (lesson2, "likeness"): (
        0.571,
        [(0.727, "Dice"), (0.833, "single words"), (0.8, "smaller set"), (1, "either")],
    ),
    (lesson2, "unaccounted"): (
        6,
        [(40, "34 have a reason"), (0, "add kept"), (7, "solve for")],
    ),
    (lesson3, "posterior_mean"): (
        0.3,
        [(0.25, "plain rate"), (0.333, "uniform"), (0.9, "mean of Beta")],
    ),
    (lesson3, "samples_to_give_up"): (
        24,
        [(23, "One more"), (30, "rule of three"), (10, "a tenth"), (3, "growing")],
    ),
    (lesson3, "best_of_k"): (
        pass_at_k,
        [
            (lambda n, c, k: 1 - (1 - c / n) ** k, "for the truth"),
            (lambda n, c, k: c / n, "that is pass@1"),
            (lambda n, c, k: 0.5, r"C\(n, k\)"),
        ],
    ),
    (lesson4, "tokens_in_loss"): (
        13,
        [(12, "One token"), (43, "masked"), (30, "masked part"), (5, "label")],
    ),
    (lesson4, "fair_rows"): (
        60,
        [(40, "equal rows"), (27, "upside down"), (100, "in all")],
    ),
    (lesson5, "agreed_and_wrong"): (
        0.0154,
        [
            (0.01, "divide by those"),
            (0.0588, "need not be the same"),
            (0.04, "both are wrong"),
            (1.54, "not in per cent"),
            (0.2, "what is `c` here"),
        ],
    ),
    (lesson5, "room_for_made"): (
        180,
        [(300, "whole mix"), (72, "one of the mix"), (48, "All of them stay"), (0, "")],
    ),
    (lesson5, "missing_factor"): (
        missing_factor,
        [
            (lambda product, known: known and product // known, "put 3 back"),
            (lambda product, known: product / known, r"\*whole\* number"),
            (
                lambda product, known: missing_factor(product, known or 1),
                "every number",
            ),
            (lambda product, known: missing_factor(product, known) or None, "nought"),
            (lambda product, known: 1, "try it on"),
        ],
    ),
    (lesson6, "equal_enough"): (
        0.0228,
        [
            (0.617, "no difference"),
            (0.00135, "easier of the two"),
            (0.0455, "nothing to double"),
            (0.0062, "a point below"),
            (0.5, "how many standard errors"),
        ],
    ),
    (lesson6, "numbers_in_sum"): (
        50688,
        [
            (884736, "thin factors"),
            (33792, "becomes of the ranks"),
            (21233664, "add the two"),
            (24, "rank of the sum"),
        ],
    ),
    (lesson6, "false_alarm"): (
        0.6415,
        [
            (0.7226, "diagonal"),
            (0.4013, "two cells"),
            (0.05, "in one cell"),
            (1.0, "product"),
            (0.358, "no alarm at all"),
            (0.2, "one minus"),
        ],
    ),
    (lesson7, "paired_half_width"): (
        0.0768,
        [
            (0.137, "flipped"),
            (0.0784, "square of the mean"),
            (0.0392, "one standard error"),
            (7.68, "as a share"),
            (0.5, "what its variance"),
        ],
    ),
    (lesson7, "all_of_k"): (
        all_of_k,
        [
            (lambda n, c, k: (c / n) ** k, "one sample twice"),
            (pass_at_k, r"that is pass@k"),
            (lambda n, c, k: c / n, "that is pass@1"),
            (lambda n, c, k: 0.5, "right samples only"),
        ],
    ),
    (lesson7, "five_looks"): (
        0.1189,
        [
            (0.125, "lucky twice"),
            (0.2262, "as well"),
            (0.8811, "find nothing"),
            (0.025, "one look"),
            (0.5, "one minus"),
        ],
    ),
}
EVERY = pytest.mark.parametrize(
    ("lesson", "name"), list(CASES), ids=lambda one: getattr(one, "__name__", one)
)


def test_every_exercise_of_every_lesson_is_tried_here():
    found = {
        (lesson, name)
        for lesson in LESSONS
        for name, value in vars(lesson).items()
        if isinstance(value, Exercise)
    }
    assert found == set(CASES)
    assert all(name in lesson.__all__ for lesson, name in found)
    # Two typical mistakes at least, each with a hint of its own.
    for lesson, name in found:
        mistakes = getattr(lesson, name).mistakes
        assert len({mistake.hint for mistake in mistakes}) == len(mistakes) >= 2


@EVERY
def test_a_right_answer_is_told_what_it_shows(lesson, name):
    exercise = getattr(lesson, name)
    outcome = exercise.check(CASES[lesson, name][0])
    assert outcome.state == "right"
    assert repr(outcome) == f"Right. {exercise.shown}"
    assert "Right." in outcome._repr_html_()


@EVERY
def test_a_wrong_answer_gets_the_hint_for_that_mistake(lesson, name):
    exercise = getattr(lesson, name)
    for answer, hint in CASES[lesson, name][1]:
        with pytest.raises(WrongAnswerError, match=f"Not yet: .*{hint}"):
            exercise.check(answer)


@EVERY
def test_an_untouched_exercise_stops_nothing(lesson, name):
    outcome = getattr(lesson, name).check(None)
    assert outcome.state == "untouched"
    assert "Not answered yet" in repr(outcome)


@EVERY
@pytest.mark.parametrize("answer", ["0.3", [0.3], True, {}])
def test_an_answer_of_another_kind_is_told_so(lesson, name, answer):
    with pytest.raises(WrongAnswerError, match=r"a (number|function) is asked for"):
        getattr(lesson, name).check(answer)


FUNCTIONS = [
    (lesson, name) for lesson, name in CASES if getattr(lesson, name).kind is FUNCTION
]


@pytest.mark.parametrize(("lesson", "name"), FUNCTIONS, ids=str)
def test_what_a_readers_function_raises_is_theirs(lesson, name):
    def mine(*given):
        return {}["missing"]

    with pytest.raises(KeyError, match="missing") as caught:
        getattr(lesson, name).check(mine)
    frames = [f.name for f in traceback.extract_tb(caught.value.__traceback__)]
    # Theirs is the last; between it and their call stands one that IPython leaves out.
    assert frames[-1] == "mine"
    assert frames[1:-1] == ["check"]
    assert "__tracebackhide__" in Exercise.check.__code__.co_varnames
    (note,) = caught.value.__notes__
    assert note.startswith("raised by your function, called with (")
    assert caught.value.__cause__ is None


def test_a_fault_of_the_check_itself_is_not_called_the_readers():
    broken = Exercise(FUNCTION, lambda function: 1 / 0, "", [], "")
    with pytest.raises(ZeroDivisionError) as caught:
        broken.check(lambda: 1)
    assert not hasattr(caught.value, "__notes__")
