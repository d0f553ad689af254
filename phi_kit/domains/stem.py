"""STEM: school science as choices, and quantities with their units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from phi_kit.data.records import Seed
from phi_kit.verifiers import choice, quantity
from phi_kit.verifiers.base import Verdict

from . import stem_facts
from .base import Domain, Family, SuggestedDataset

Made = tuple[str, str, Mapping[str, Any]]


def verify(seed: Seed, response: str) -> Verdict:
    """One of the item's letters where it has choices; else a quantity."""
    checker = choice if "choices" in seed.facts else quantity
    return checker.verify(seed, response)


def _asked(prompt: str, value: int | float, unit: str) -> Made:
    """An item whose prompt names the unit: a bare number answers it."""
    return prompt, f"{value:g} {unit}", quantity.facts(unit)


def _free(prompt: str, value: int | float, unit: str) -> Made:
    """An item whose answer needs its unit; any unit of that kind will do."""
    return prompt, f"{value:g} {unit}", quantity.facts(unit, asked=False)


def _pick(draw: np.random.Generator, things: tuple[Any, ...]) -> Any:
    return things[int(draw.integers(len(things)))]


# Unit, how many, smaller unit. All exact, so tolerance is nothing but float noise.
_EASY_STEPS = (
    *(("m", 100, "cm"), ("km", 1000, "m"), ("kg", 1000, "g"), ("h", 60, "min")),
    *(("min", 60, "s"), ("cm", 10, "mm"), ("L", 1000, "mL"), ("g", 1000, "mg")),
    *(("kJ", 1000, "J"), ("kW", 1000, "W"), ("V", 1000, "mV"), ("days", 24, "h")),
)
_SPELLED = {"days": "d"}


def convert_down(draw: np.random.Generator) -> Made:
    """A whole number of a unit in a smaller one."""
    big, factor, small = _pick(draw, _EASY_STEPS)
    number = int(draw.integers(2, 40))
    return _asked(f"How many {small} are {number} {big}?", number * factor, small)


def convert_up(draw: np.random.Generator) -> Made:
    """The other way round, to one decimal."""
    big, factor, small = _pick(draw, _EASY_STEPS)
    tenths = int(draw.integers(2, 200))
    given = tenths * factor / 10
    return _asked(
        f"How many {big} are {given:g} {small}?", tenths / 10, _SPELLED.get(big, big)
    )


def speed(draw: np.random.Generator) -> Made:
    """Speed is d / t, with small whole numbers, the unit named."""
    pace, time = int(draw.integers(2, 13)), int(draw.integers(2, 11))
    who = _pick(draw, ("A runner", "A dog", "A bird", "A car", "A ball", "A boat"))
    return _asked(
        f"{who} moves {pace * time} m in {time} s. What is the speed in m/s?",
        pace,
        "m/s",
    )


def distance(draw: np.random.Generator) -> Made:
    """Distance is v t in hours; the answer needs its unit."""
    pace, time = int(draw.integers(3, 131)), int(draw.integers(2, 10))
    who = _pick(draw, ("A train", "A bus", "A cyclist", "A ship", "A plane"))
    return _free(
        f"{who} travels at {pace} km/h for {time} h. How far does it get?",
        pace * time,
        "km",
    )


def density(draw: np.random.Generator) -> Made:
    """Density = m / V; the answer needs its unit."""
    tenths, volume = int(draw.integers(5, 200)), int(draw.integers(2, 21)) * 10
    mass = tenths * volume / 10
    thing = _pick(draw, ("A stone", "A metal block", "A liquid", "A cube"))
    return _free(
        f"{thing} has a mass of {mass:g} g and a volume of {volume} cm^3. "
        "What is its density?",
        tenths / 10,
        "g/cm^3",
    )


def ohm(draw: np.random.Generator) -> Made:
    """Ohm's law, solved for any of its three quantities."""
    current, resistance = int(draw.integers(1, 16)), int(draw.integers(2, 41))
    voltage = current * resistance
    asked = int(draw.integers(3))
    if asked == 0:
        known, value, unit = f"{current} A flow through {resistance} ohm", voltage, "V"
    elif asked == 1:
        known, value, unit = f"{voltage} V lie across {resistance} ohm", current, "A"
    else:
        known, value, unit = f"{voltage} V drive {current} A", resistance, "ohm"
    what = ("voltage", "current", "resistance")[asked]
    return _free(f"In a circuit {known}. What is the {what}?", value, unit)


def energy(draw: np.random.Generator) -> Made:
    """Kinetic energy, half m v squared."""
    mass, pace = 2 * int(draw.integers(1, 31)), int(draw.integers(2, 21))
    return _free(
        f"A body of {mass} kg moves at {pace} m/s. What is its kinetic energy?",
        mass * pace * pace // 2,
        "J",
    )


DOMAIN = Domain(
    name="stem",
    title="School science",
    description="Facts of science as choices, and quantities with units.",
    instruction="Answer with the letter of the right option, or with the number and "
    "its unit. Give only the answer.",
    marked="the letter of the right option, or the number and its unit, after "
    '"Answer:"',
    answer_kind="letter, or number with unit",
    verifier=verify,
    checker="choice or quantity",
    families=(
        Family("facts-1", 1, stream=stem_facts.stream(stem_facts.EASY)),
        Family("speed", 2, speed),
        Family("convert-1", 3, convert_down),
        Family("facts-2", 4, stream=stem_facts.stream(stem_facts.MIDDLE)),
        Family("convert-2", 5, convert_up),
        Family("facts-3", 6, stream=stem_facts.stream(stem_facts.HARD), usual=False),
        Family("distance", 7, distance, usual=False),
        Family("ohm", 8, ohm, usual=False),
        Family("density", 9, density, usual=False),
        Family("energy", 10, energy, usual=False),
    ),
    transforms={},
    suggested_datasets=(
        SuggestedDataset(
            "allenai/ai2_arc",
            "CC-BY-SA-4.0",
            config="ARC-Easy",
            answer="answerKey",
            columns={"choices": ["choices"]},
            note="also ARC-Challenge",
        ),
        SuggestedDataset(
            "allenai/sciq",
            "CC-BY-NC-3.0",
            answer="correct_answer",
            note="not for commercial use; wrong options in distractor1-3, not read",
        ),
        SuggestedDataset(
            "allenai/openbookqa",
            "unknown",
            config="main",
            question="question_stem",
            answer="answerKey",
            columns={"choices": ["choices"]},
            note="its card names no licence; look before use",
        ),
    ),
    benchmarks=("gpqa-diamond", "mmlu-pro"),
)
