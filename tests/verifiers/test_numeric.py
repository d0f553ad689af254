"""What a careful reader would take for the answer, and nothing else."""

import pytest

from phi_kit.data.records import Seed
from phi_kit.verifiers.math.numeric import parse_number, verify


def said(response, gold):
    return verify(Seed("math", "?", gold), response).value


RIGHT = [
    ("73", "73"),
    (" 73\n", "73"),
    ("**73**", "73"),
    ("__73__", "73"),
    ("`73`", "73"),
    ("$73$", "73"),
    (r"\text{13}", "13"),
    (r"\boxed{5}", "5"),
    (r"\boxed{\text{13}}", "13"),
    (r"\boxed{13 \text{ apples}}", "13"),
    (r"$$\boxed{\frac{1}{2}}$$", "1/2"),
    (r"\boxed{\dfrac{3}{4}}", "0.75"),
    (r"\boxed{-\frac{3}{4}}", "-0.75"),
    (r"\boxed{1\frac{1}{2}}", "1.5"),
    (r"\boxed{x = 5}", "5"),
    (r"\boxed{1{,}234}", "1234"),
    (r"\boxed{12\,345}", "12345"),
    (r"\boxed{5\%}", "5"),
    (r"\boxed{3} no: \boxed{4}", "4"),
    (r"First \boxed{7}. Check: 3 + 4 = 7, 8 - 1 = 7, 9", "7"),
    ("1,234", "1234"),
    ("1,234,567.5", "1234567.5"),
    ("$1,234.50", "1234.5"),
    ("-5", "-5"),
    ("−5", "-5"),
    ("–5", "-5"),
    ("(-5)", "-5"),
    ("-$5", "-5"),
    ("3 - 8\n-5", "-5"),
    ("+5", "5"),
    ("3 + 4 = 7", "7"),
    ("12-7 = 5", "5"),
    ("12-7=5", "5"),
    ("1/2", "0.5"),
    ("1 1/2", "3/2"),
    (".5", "1/2"),
    ("5.", "5"),
    ("5.0", "5"),
    ("$5", "5"),
    ("5%", "5"),
    ("5kg", "5"),
    ("1e3", "1000"),
    ("1.5e-3", "0.0015"),
    ("007", "7"),
    ("Answer: 7", "7"),
    ("answer:\n7", "7"),
    ("Final answer: 7.\n\nI added 3 and 4", "7"),
    ("**Answer:** 7. Because 3 + 4", "7"),
    ("### Answer: 7\nas 3 and 4 are given", "7"),
    ("The answer is 7, because 3 + 4.", "7"),
    ("The answer is 12, since 12 - 5 = 7.", "12"),
    ("The answer is: **7**", "7"),
    ("The answer is 3 + 4 = 7", "7"),
    ("The answer is 7.5", "7.5"),
    ("#### 7", "7"),
    ("3 + 4 = 7\n####7", "7"),
    ("#### $1,234", "1234"),
    ("#### Step 1\n3 + 4\n#### Answer\n7", "7"),
    ("<think>It is 5.</think>7", "7"),
    ("It is 5.\n</think>\n\n7", "7"),
    ("It appears twice.", "2"),
    ("Seven", "7"),
    ("7 apples", "7"),
]
WRONG = [
    ("", "0"),
    ("no idea", "0"),
    ("7", "8"),
    ("-5", "5"),
    ("−5", "5"),
    ("5", "-5"),
    ("1,23", "123"),
    ("1,23", "23"),
    ("7,3", "3"),
    ("0.5", "5"),
    ("3/0", "3"),
    ("1e3", "1"),
    ("1 1/2", "1/2"),
    (r"\boxed{\frac{1}{2}}", "2"),
    (r"\boxed{}", "0"),
    (r"\boxed{1, 2}", "2"),
    (r"\boxed{7 \text{ apples and } 3 \text{ pears}}", "7"),
    (r"The 5 is \boxed{}", "5"),
    ("14 - 7", "7"),  # the question said again
    ("14-7", "-7"),
    ("The answer is 3 + 4", "3"),
    ("The answer is 3 + 4", "4"),
    ("<think>7</think>", "7"),
    ("<think>It must be 7", "7"),
    ("7 apples and 3 pears", "7"),  # running text ends on its answer
    ("twenty-one", "1"),
    ("one hundred", "1"),
    ("minus five", "5"),
    ("Answer: 8. Not 7", "7"),
    ("v7", "7"),
    ("9" * 5000, "9"),
]


@pytest.mark.parametrize(("response", "gold"), RIGHT)
def test_right(response, gold):
    assert said(response, gold) == "right"


@pytest.mark.parametrize(("response", "gold"), WRONG)
def test_wrong(response, gold):
    assert said(response, gold) == "wrong"


@pytest.mark.parametrize("gold", ["", "proof", "1,23", "7 apples", "x", "3/0", "-"])
def test_an_unreadable_gold_is_nobodys_mistake(gold):
    assert said("7", gold) == "unknown"


def test_comparison_is_exact():
    assert parse_number("0.1") + parse_number("0.2") == parse_number("0.3")
    assert parse_number("10000000000000001") != parse_number("10000000000000000")


def test_the_verdict_shows_what_was_read():
    verdict = verify(Seed("math", "?", "7"), "3 + 4 = 8")
    assert (verdict.extracted, verdict.reason) == ("8", "another answer")
