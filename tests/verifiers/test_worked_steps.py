"""Worked steps: equations that hold, that do not, and what is no equation."""

import random
from fractions import Fraction

import pytest

from phi_kit.verifiers.worked_steps import first_false_step

HOLDS = (
    "3 + 4 = 7",
    "48/2 = 24 clips in May.\n48 + 24 = 72",
    "48/2 = <<48/2=24>>24",
    "16 - 3 - 4 = 9 duck eggs, so 9 * 2 = $18.",
    "She earns $12 * 3 = $36.",
    r"$2 \times 3 = 6$ and $\frac{6}{4} = 1.5$",
    "1/3 = 0.33",
    "2/3 = 0.667",
    "100 / 3 = 33.3",
    "- 3 + 4 = 7\n- 8 - 2 = 6",
    "1. 3 + 4 = 7\n2) 5 * 2 = 10",
    "Step 2: 5 x 3 = 15",
    "(3 + 4) * 2 = 14",
    "2^3 = 8 and 5! = 120",
    "1,000 + 234 = 1,234",
    "3 + 4 = 5 + 2 = 7",
    "-3 + 4 = 1",
    "7 == 7",
    "16 % 12 = 4",
    "i = 2; 2 % 2 == 0, so 2 * 3 = 6",
)
FALSE = {
    "1 + 9 = 9": "1 + 9 = 9",
    "3 + 4 = 7, then 7 * 2 = 15": "7 * 2 = 15",
    "48/2 = 23 clips": "48/2 = 23",
    "- 3 + 4 = 8": "- 3 + 4 = 8",
    r"$2 \times 3 = 7$": "2 * 3 = 7",
    "1/3 = 0.34": "1/3 = 0.34",
    "She pays $12 * 3 = $38.": "12 * 3 = 38",
    "3 + 4 = 7 + 2 = 9": "3 + 4 = 7 + 2",
    "5 × 3 = 8": "5 * 3 = 8",
    "10 ÷ 4 = 2": "10 / 4 = 2",
    "1,000 + 1 = 1,002": "1,000 + 1 = 1,002",
    "(3 + 4) * 2 = 11": "(3 + 4) * 2 = 11",
    "16 % 12 = 5": "16 % 12 = 5",
    "x = 7 % 2 == 0": "7 % 2 = 0",
    "3 + 4 = 8, no more": "3 + 4 = 8",
}
# Right, or not for arithmetic alone to say.
UNREAD = (
    "x = 5",
    "2x = 10",
    "x^2 = 9",
    "f(3) = 10",
    "gcd(4, 6) = 2",
    "10 mod 3 = 1",
    "x % 5 == 0",
    "(x + 1) % 2 == 0",
    "3 * 7 % 4 = 1",
    "20 % of 50 = 10",
    "50 % 0 = 1",
    "-7 % 3 = 2",
    "Is 3 + 4 = 8? No.",
    "3 == 5 is False",
    "2 == 3 → False",
    "4 = 5 (wrong)",
    "7 / 2 = 3 remainder 1",
    "7 / 2 = 3 R 1",
    "50% of 20 = 10",
    "20% = 0.2",
    "0.2 = 20%",
    "log 8 = 3",
    "1000000 = 1 million",
    "3 apples + 4 apples = 8 apples",
    "x + 3 = 7 - y",
    "3 = x",
    "5 = 2x + 1",
    "1.5 = 1 and a half",
    "a_1 = 3",
    "3 != 4, 3 <= 5 and 4 >= 2",
    "if n == 3: y = 4",
    "",
    "no numbers",
    "= 5",
    "5 =",
)


@pytest.mark.parametrize("text", HOLDS)
def test_what_holds_is_left_alone(text):
    assert first_false_step(text) == ""


@pytest.mark.parametrize("text", FALSE)
def test_what_does_not_hold_is_named(text):
    assert first_false_step(text) == FALSE[text]


@pytest.mark.parametrize("text", UNREAD)
def test_what_cannot_be_read_is_not_judged(text):
    assert first_false_step(text) == ""


def test_a_response_goes_on_from_a_prompt_that_ends_on_an_equals_sign():
    prompt = "State the final answer to the following arithmetic problem: 6 - 3 ="
    assert first_false_step("6 is divisible by 3.", prompt=prompt) == "6 - 3 = 6"
    assert first_false_step("3", prompt=prompt) == ""
    assert first_false_step("The answer is 3.", prompt=prompt) == ""
    assert first_false_step("1 + 9 = 9", prompt="0 + 9 =") == "0 + 9 = 1 + 9"


def test_of_generated_lines_each_false_one_is_found_and_no_other():
    draw = random.Random(5)
    forms = ("{a} {s} {b} = {c}", "So {a}{s}{b} = {c} apples.", "**{a} {s} {b} = {c}**")
    count = 0
    for _ in range(2_000):
        a, b, s = draw.randint(0, 99), draw.randint(1, 99), draw.choice("+-*/")
        c = {"+": a + b, "-": a - b, "*": a * b, "/": Fraction(a, b)}[s]
        if c.denominator > 1:
            continue
        wrong = draw.random() < 0.5
        shown = c + draw.choice((-2, -1, 1, 10)) if wrong else c
        line = draw.choice(forms).format(a=a, b=b, s=s, c=shown)
        assert bool(first_false_step(line)) is wrong, line
        count += 1
    assert count > 1_000


def test_noise_raises_nothing():
    draw = random.Random(7)
    letters = "0123456789+-*/=().,$ x^%\\frac{}\n\ud800½√"
    for _ in range(3_000):
        first_false_step("".join(draw.choices(letters, k=draw.randint(0, 60))))
    first_false_step("1+" * 20_000 + "1 = 2")
    first_false_step("(" * 5_000 + "1 = 2")
    first_false_step("9" * 5_000 + " = " + "9" * 5_000)
