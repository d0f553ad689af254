"""Facts of school science, self-written, as tables; questions are made of them.

Each table maps a thing to what is asked of it. Wrong options are other answers of
the same table, so a letter cannot be told from the options' form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from phi_kit.core.rng import rng
from phi_kit.data.generators import ItemStream
from phi_kit.data.records import Seed
from phi_kit.data.splits import HASH_SHARES, split_by_hash

OPTIONS = 4


@dataclass(frozen=True)
class FactTable:
    """One question with its answers.

    Args:
        question: how it is asked; `{}` is the thing.
        answers: the answer of each thing.
    """

    question: str
    answers: Mapping[str, str]


def _groups(text: str) -> dict[str, str]:
    """`mammal: dog cat; bird: owl` as thing to group; `_` is a space."""
    found = {}
    for part in text.split(";"):
        group, _, things = part.replace("_", "\xa0").partition(":")
        found |= {t.replace("\xa0", " "): group.strip() for t in things.split(" ") if t}
    return {thing: group.replace("\xa0", " ") for thing, group in found.items()}


def _pairs(text: str) -> dict[str, str]:
    """`iron=Fe copper=Cu` as thing to answer; `_` is a space."""
    pairs = (pair.partition("=") for pair in text.split())
    return {a.replace("_", " "): b.replace("_", " ") for a, _, b in pairs}


EASY = (
    FactTable(
        "Which group does this animal belong to: {}?",
        _groups(
            "mammal: dog cat cow horse whale bat mouse lion bear rabbit sheep;"
            "bird: owl eagle penguin sparrow duck robin parrot swan gull stork;"
            "fish: salmon trout shark tuna cod herring carp eel pike perch;"
            "insect: ant bee fly beetle moth wasp cricket ladybird grasshopper termite;"
            "reptile: snake lizard turtle crocodile gecko tortoise iguana viper;"
            "amphibian: frog toad newt salamander"
        ),
    ),
    FactTable(
        "At room temperature, what is {}?",
        _groups(
            "a_solid: iron gold wood glass salt copper sugar chalk lead quartz;"
            "a_liquid: water mercury petrol alcohol milk vinegar olive_oil;"
            "a_gas: oxygen nitrogen helium neon argon methane hydrogen;"
            "a_mixture_of_gases: air"
        ),
    ),
    FactTable(
        "Which sense uses this organ: the {}?",
        _pairs("eye=sight ear=hearing nose=smell tongue=taste skin=touch"),
    ),
)
MIDDLE = (
    FactTable(
        "What is the chemical symbol of {}?",
        _pairs(
            "hydrogen=H helium=He lithium=Li carbon=C nitrogen=N oxygen=O fluorine=F "
            "neon=Ne sodium=Na magnesium=Mg aluminium=Al silicon=Si phosphorus=P "
            "sulfur=S chlorine=Cl argon=Ar potassium=K calcium=Ca titanium=Ti "
            "chromium=Cr manganese=Mn iron=Fe cobalt=Co nickel=Ni copper=Cu zinc=Zn "
            "bromine=Br silver=Ag tin=Sn iodine=I tungsten=W platinum=Pt gold=Au "
            "mercury=Hg lead=Pb uranium=U barium=Ba boron=B beryllium=Be krypton=Kr"
        ),
    ),
    FactTable(
        "Which instrument measures {}?",
        _pairs(
            "temperature=thermometer air_pressure=barometer electric_current=ammeter "
            "voltage=voltmeter wind_speed=anemometer earthquakes=seismograph "
            "humidity=hygrometer time=clock direction=compass mass=balance "
            "rainfall=rain_gauge distance_travelled=odometer"
        ),
    ),
    FactTable(
        "Which organ does this: it {}?",
        _pairs(
            "pumps_blood=heart takes_up_oxygen=lungs filters_the_blood=kidneys "
            "thinks=brain digests_food_with_acid=stomach makes_bile=liver "
            "stores_urine=bladder makes_insulin=pancreas"
        ),
    ),
)
HARD = (
    FactTable(
        "What does the unit {} measure?",
        _pairs(
            "newton=force joule=energy watt=power volt=voltage ampere=electric_current "
            "ohm=electrical_resistance pascal=pressure hertz=frequency "
            "kelvin=temperature "
            "coulomb=electric_charge farad=capacitance tesla=magnetic_flux_density "
            "lux=illuminance becquerel=radioactivity mole=amount_of_substance"
        ),
    ),
    FactTable(
        "What is the formula of {}?",
        _pairs(
            "water=H2O carbon_dioxide=CO2 table_salt=NaCl methane=CH4 ammonia=NH3 "
            "sulfuric_acid=H2SO4 hydrochloric_acid=HCl nitric_acid=HNO3 ozone=O3 "
            "hydrogen_peroxide=H2O2 glucose=C6H12O6 ethanol=C2H5OH propane=C3H8 "
            "calcium_carbonate=CaCO3 sodium_hydroxide=NaOH carbon_monoxide=CO "
            "nitrous_oxide=N2O iron(III)_oxide=Fe2O3 silicon_dioxide=SiO2 benzene=C6H6"
        ),
    ),
    FactTable(
        "How many protons has an atom of {}?",
        _pairs(
            "hydrogen=1 helium=2 lithium=3 beryllium=4 boron=5 carbon=6 nitrogen=7 "
            "oxygen=8 fluorine=9 neon=10 sodium=11 magnesium=12 aluminium=13 "
            "silicon=14 "
            "phosphorus=15 sulfur=16 chlorine=17 argon=18 potassium=19 calcium=20 "
            "iron=26 copper=29 zinc=30 silver=47 gold=79 lead=82 uranium=92"
        ),
    ),
)


def split_of(question: str) -> str:
    """The split a fact belongs to, whatever the study and the options."""
    return split_by_hash(question, "fact", rng_seed=0)


def stream(tables: tuple[FactTable, ...]) -> ItemStream:
    """The items of some tables: a fact of the split, its options drawn each time."""

    def items(rng_seed: int, split: str) -> Iterator[Seed]:
        wanted = split if split in HASH_SHARES else "train"
        facts = [
            (table, thing)
            for table in tables
            for thing in table.answers
            if split_of(table.question.format(thing)) == wanted
        ]
        turn = 0
        while facts:
            # Every fact once before any comes again with other options.
            draw = rng(rng_seed, "facts", split, turn)
            for place in draw.permutation(len(facts)):
                yield _item(*facts[place], draw)
            turn += 1

    return items


def _item(table: FactTable, thing: str, draw: np.random.Generator) -> Seed:
    right = table.answers[thing]
    others = sorted(set(table.answers.values()) - {right})
    wrong = [others[i] for i in draw.permutation(len(others))[: OPTIONS - 1]]
    options = [right, *wrong]
    shown = [options[i] for i in draw.permutation(len(options))]
    return lettered(table.question.format(thing), shown, right)


def lettered(question: str, shown: list[str], right: str) -> Seed:
    """A question with its options; the answer is the right one's letter."""
    choices = {chr(ord("A") + i): text for i, text in enumerate(shown)}
    listed = "\n".join(f"{letter}) {text}" for letter, text in choices.items())
    return Seed(
        domain="stem",
        prompt=f"{question}\n{listed}",
        answer=next(c for c, text in choices.items() if text == right),
        source="phi-kit/stem",
        licence="Apache-2.0",
        # `C` is an option's letter, also where carbon is another option.
        extra=json.dumps({"choices": choices, "answer_is": "letter"}),
    )
