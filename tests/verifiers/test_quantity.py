"""Quantities: units converted, hedges and wrong kinds refused; choices in stem."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from phi_kit import domains
from phi_kit.data.generators import generate_items
from phi_kit.data.records import Seed
from phi_kit.verifiers import quantity


def seed(answer: str, **facts) -> Seed:
    return Seed("stem", "q", answer, extra=json.dumps(facts))


SPEED = seed("12 m/s", unit="m/s", asked=True, tolerance=0)
FREE = seed("12 m/s", unit="m/s", asked=False, tolerance=0)

RIGHT = (
    *("12 m/s", "12 meters per second", "43.2 km/h", "0.012 km/s", "**12 m/s**"),
    *("$12\\,\\text{m/s}$", "\\boxed{12\\ \\mathrm{m/s}}", "12 m s^-1", "12m/s"),
    *("v = 60 m / 5 s = 12 m/s", "1.2 × 10^1 m/s", "1.2e1 m/s", "12 m·s⁻¹"),
    *("<think>13 m/s</think>12 m/s", "12 metres/second", "12 m/s (43.2 km/h)"),
    *("The answer is 12 m/s.", "Answer: 12 m/s", "#### 12 m/s", "12.0 m/s"),
    *("The speed is 12 m/s because 60/5 = 12 m/s", "24/2 m/s", "1200 cm/s"),
    *("It is 12 m/s, not 13 m/s.", "It isn't 5 m/s. It is 12 m/s.", "+12 m/s"),
    *("720 m/min", "12 meters/sec", "12 m / s", "\\frac{24}{2} m/s"),
)
WRONG = (
    *("13 m/s", "-12 m/s", "12 km/h", "12 m", "12 s/m", "12 m/s^2", "120 m/s", ""),
    *("none", "12 or 13 m/s", "10**10**10", "1,2 m/s", "12.5 m/s", "twelve-ish"),
    *("I ran 12 m/s. The answer is 5 m/s", "12 m/s or 15 m/s", "12 kg", "12 mm/s"),
    *("12e3 m/s", "12/5 m/s", "12 m/s/s", "12 percent", "12 apples", "12^2"),
    *("12,000 m/s", "<think>12 m/s</think>", "12 M/s", "0 m/s", "12 N", "1.2 m/s"),
    *("12 mph", "12 J/s", "5 m/s, not 12 m/s", "v12 m/s", "12:00", "12 K", "12 V"),
    *("The answer is 12 km/h", "\\boxed{13 m/s}", "12 m/s = 5 m/s", "1 2 m/s"),
    *(
        "12 m/s^5",
        "12 m/s**7",
        "12 m^2/s",
        "12 1/s",
        "1e999 m/s",
        "12e-3 m/s",
        "9" * 400 + " m/s",
    ),
)


@pytest.mark.parametrize("response", RIGHT)
def test_the_same_quantity_is_right_however_it_is_written(response):
    assert quantity.verify(SPEED, response).right
    assert quantity.verify(FREE, response).right


@pytest.mark.parametrize("response", WRONG)
def test_another_quantity_is_wrong(response):
    for one in (SPEED, FREE):
        verdict = quantity.verify(one, response)
        assert verdict.value == "wrong", verdict


@pytest.mark.parametrize("response", ["12", "12.", "So 60/5=12", "The answer is 12"])
def test_a_bare_number_is_enough_only_where_the_unit_was_asked_for(response):
    assert quantity.verify(SPEED, response).right
    verdict = quantity.verify(FREE, response)
    assert (verdict.value, verdict.lenient) == ("wrong", "right")


@pytest.mark.parametrize(
    ("gold", "response", "same"),
    [
        ("3000 m", "3 km", True),
        ("1500 Pa", "1.5 kPa", True),
        ("2.7 g/cm^3", "2700 kg/m3", True),
        ("5 ohm", "5 Ω", True),
        ("4 kWh", "14.4 MJ", True),
        ("20 °C", "293.15 K", True),
        ("20 °C", "68 °F", True),
        ("20 °C", "20 degrees Celsius", True),
        ("20 °C", "20 K", False),
        ("6 N·m", "6 J", True),
        ("1/3 m", "0.333333333333 m", True),
        ("3 square meters", "3 m²", True),
        ("1 h", "60 min", True),
        ("1 h", "60 s", False),
        ("5 mW", "5 MW", False),
        ("0 V", "0 mV", True),
        ("0 V", "1 mV", False),
        ("7", "7", True),
        ("7", "7 m", False),
        ("100 g", "100 mg", False),
        ("2 days", "48 hours", True),
    ],
)
def test_units_are_converted(gold, response, same):
    assert quantity.verify(seed(gold, tolerance=1e-6), response).right is same


def test_tolerance_is_relative_and_one_percent_unless_the_item_says():
    assert quantity.verify(seed("9.81 m/s^2"), "9.8 m/s^2").right
    assert not quantity.verify(seed("9.81 m/s^2", tolerance=0), "9.8 m/s^2").right
    assert not quantity.verify(seed("9.81 m/s^2"), "10 m/s^2").right


@pytest.mark.parametrize("answer", ["", "fast", "12 flurbs", "12 m or 13 m", "1e999"])
def test_an_unreadable_gold_is_unknown(answer):
    assert quantity.verify(seed(answer), "12 m").value == "unknown"


def test_strictly_right_is_leniently_right():
    for response in (*RIGHT, *WRONG):
        verdict = quantity.verify(SPEED, response)
        assert not verdict.right or verdict.lenient == "right"


def test_a_long_response_costs_no_time():
    began = time.perf_counter()
    for text in (
        "9" * 30_000,
        "10**" * 8_000,
        "12 m/" * 6_000,
        "(" * 30_000,
        "1,2" * 9_000,
    ):
        quantity.verify(SPEED, text)
    assert time.perf_counter() - began < 10


def stem(name: str, n: int) -> list[Seed]:
    family = next(f for f in domains.get("stem").families if f.name == name)
    stream = generate_items("stem", family, rng_seed=3, split="train")
    return [seed for _, seed in zip(range(n), stream, strict=False)]


def test_of_1000_near_misses_of_choices_none_is_accepted():
    verify, tried = domains.get("stem").verifier, 0
    forms = ("{}", "({})", "The answer is {}.", "**{}**")
    for one in (
        s for name in ("facts-1", "facts-2", "facts-3") for s in stem(name, 30)
    ):
        for letter in sorted({"A", "B", "C", "D"} - {one.answer}):
            for form in forms:
                tried += 1
                assert not verify(one, form.format(letter)).right
    assert tried >= 1000


@pytest.mark.parametrize(
    "response",
    [
        *("a good question", "I think so", "", "A or B", "It is a bird, I guess"),
        *("E", "Z", "AB", "an owl", "<think>{}</think>", "letters", "not {}"),
        *("{} or A or B or C or D", "12 m/s", "?", "none of these", "I", "a"),
    ],
)
def test_what_is_no_letter_of_the_item_is_no_answer(response):
    one = next(s for s in stem("facts-2", 40) if s.answer == "C")
    verify = domains.get("stem").verifier
    assert not verify(one, response.format(one.answer)).right


def test_stem_items_are_made_by_their_generator_alone():
    from phi_kit.domains.stem import ohm, speed

    for make in (speed, ohm):
        assert make(np.random.default_rng(3)) == make(np.random.default_rng(3))
