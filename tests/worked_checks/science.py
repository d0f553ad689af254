"""Formulas, units and facts, from tables of this file."""

import re
from fractions import Fraction

from worked_checks.reading import Lines, divided, equal, multiplied, need, value

ASKED = r"\d+(?:\.\d+)?"


def _figures(seed):
    return re.findall(ASKED, seed.prompt.replace("cm^3", "ccm"))


def _known(lines, form, line):
    if form == "long":
        lines.exactly(line)


def speed(seed, form, steps, answer):
    lines, (way, time) = Lines(steps), _figures(seed)
    _known(lines, form, f"Known: d = {way} m, t = {time} s.")
    lines.exactly("v = d / t")
    lines.exactly(f"v = {way} m / {time} s")
    _quotient(lines, form == "long", way, time, answer, "m/s")


def _quotient(lines, shown, total, by, answer, unit):
    """The parts of a division if they are shown, the division, and the answer."""
    need(divided(lines, value(total), value(by)) == bool(shown), lines.steps)
    result, _, told = answer.partition(" ")
    lines.exactly(f"{total} / {by} = {result}")
    need(value(result) * value(by) == value(total) and told == unit, answer)
    lines.end()


def distance(seed, form, steps, answer):
    lines, (pace, time) = Lines(steps), _figures(seed)
    _known(lines, form, f"Known: v = {pace} km/h, t = {time} h.")
    lines.exactly("d = v * t")
    lines.exactly(f"d = {pace} km/h * {time} h")
    multiplied(lines, int(pace), int(time))
    lines.end()
    need(answer == f"{int(pace) * int(time)} km", answer)


def density(seed, form, steps, answer):
    lines, (mass, volume) = Lines(steps), _figures(seed)
    _known(lines, form, f"Known: m = {mass} g, V = {volume} cm^3.")
    lines.exactly("density = m / V")
    lines.exactly(f"density = {mass} g / {volume} cm^3")
    _quotient(lines, True, mass, volume, answer, "g/cm^3")


def ohm(seed, form, steps, answer):
    lines = Lines(steps)
    told = re.findall(r"(\d+) (V|A|ohm)", seed.prompt)
    found = {unit: number for number, unit in told}
    asked = re.search(r"What is the (\w+)\?", seed.prompt)[1]
    if asked == "voltage":
        amperes, ohms = found["A"], found["ohm"]
        _known(lines, form, f"Known: I = {amperes} A, R = {ohms} ohm.")
        lines.exactly("U = R * I")
        lines.exactly(f"U = {ohms} ohm * {amperes} A")
        multiplied(lines, int(ohms), int(amperes))
        lines.end()
        need(answer == f"{int(ohms) * int(amperes)} V", answer)
        return
    sign, by, unit, result = {
        "current": ("I", "R", "ohm", "A"), "resistance": ("R", "I", "A", "ohm"),
    }[asked]  # fmt: skip
    volts, other = found["V"], found[unit]
    _known(lines, form, f"Known: U = {volts} V, {by} = {other} {unit}.")
    lines.exactly(f"{sign} = U / {by}")
    lines.exactly(f"{sign} = {volts} V / {other} {unit}")
    _quotient(lines, True, volts, other, answer, result)


def energy(seed, form, steps, answer):
    lines, (mass, pace) = Lines(steps), map(int, _figures(seed))
    _known(lines, form, f"Known: m = {mass} kg, v = {pace} m/s.")
    lines.exactly("E = m / 2 * v^2")
    equal(lines.peek())
    half = int(lines.take(rf"{mass} / 2 = (\d+)")[0])
    multiplied(lines, pace, pace)
    lines.exactly(f"E = {half} * {pace**2}")
    multiplied(lines, half, pace**2)
    lines.end()
    need(answer == f"{mass * pace**2 // 2} J", answer)


# In the smallest unit of each kind.
SIZES = {"mm": 1, "cm": 10, "m": 1000, "km": 10**6, "mg": 1, "g": 1000, "kg": 10**6,
         "s": 1, "min": 60, "h": 3600, "days": 86400, "mL": 1, "L": 1000, "J": 1,
         "kJ": 1000, "W": 1, "kW": 1000, "mV": 1, "V": 1000}  # fmt: skip


def convert(seed, form, steps, answer):
    lines = Lines(steps)
    asked = re.search(rf"many (\S+) are ({ASKED}) (\S+)\?", seed.prompt)
    to, number, of = asked.groups()
    big, small = (of, to) if SIZES[of] > SIZES[to] else (to, of)
    factor = Fraction(SIZES[big], SIZES[small])
    verb = "multiply" if big == of else "divide"
    _known(lines, form, f"The larger unit is {big}: {verb}.")
    lines.exactly(f"1 {'day' if big == 'days' else big} = {factor} {small}")
    unit = "d" if to == "days" and big == to else to
    if big == of:
        multiplied(lines, int(number), int(factor))
        lines.end()
        need(answer == f"{int(number) * factor} {to}", answer)
    else:
        if factor in (24, 60):
            _quotient(lines, True, number, str(factor), answer, unit)
            return
        # Each line one place; the last one says the answer.
        before = value(number)
        for _ in range(len(str(factor)) - 1):
            one, other = lines.take(rf"({ASKED}) / 10 = ({ASKED})")
            need(value(one) == before == value(other) * 10, lines.steps)
            before = value(other)
        if factor != 10:
            lines.exactly(f"{number} / {factor} = {answer.split()[0]}")
        lines.end()
        need(answer == f"{other} {unit}", answer)
        need(value(other) * factor == value(number), answer)


# In order of their protons; `_` where the kit asks for none.
_FIRST = (
    "hydrogen H,helium He,lithium Li,beryllium Be,boron B,carbon C,nitrogen N,oxygen O,"
    "fluorine F,neon Ne,sodium Na,magnesium Mg,aluminium Al,silicon Si,phosphorus P,"
    "sulfur S,chlorine Cl,argon Ar,potassium K,calcium Ca,_ Sc,titanium Ti,_ V,"
    "chromium Cr,manganese Mn,iron Fe,cobalt Co,nickel Ni,copper Cu,zinc Zn"
)
ELEMENTS = dict(enumerate(_FIRST.split(","), 1))
ELEMENTS |= {
    35: "bromine Br", 36: "krypton Kr", 47: "silver Ag", 50: "tin Sn", 53: "iodine I",
    56: "barium Ba", 74: "tungsten W", 78: "platinum Pt", 79: "gold Au",
    80: "mercury Hg", 82: "lead Pb", 92: "uranium U",
}  # fmt: skip
SYMBOLS = {one.split()[0]: one.split()[1] for one in ELEMENTS.values()}
PROTONS = {one.split()[0]: str(n) for n, one in ELEMENTS.items()}
GROUPS = {
    "mammal": "bat bear cat cow dog horse lion mouse rabbit sheep whale",
    "bird": "duck eagle gull owl parrot penguin robin sparrow stork swan",
    "fish": "carp cod eel herring perch pike salmon shark trout tuna",
    "insect": "ant bee beetle cricket fly grasshopper ladybird moth termite wasp",
    "reptile": "crocodile gecko iguana lizard snake tortoise turtle viper",
    "amphibian": "frog newt salamander toad",
}
STATES = {
    "a solid": "chalk,copper,glass,gold,iron,lead,quartz,salt,sugar,wood",
    "a liquid": "alcohol,mercury,milk,olive oil,petrol,vinegar,water",
    "a gas": "argon,helium,hydrogen,methane,neon,nitrogen,oxygen",
    "a mixture of gases": "air",
}
TOOLS = {
    "thermometer": "temperature", "barometer": "air pressure", "clock": "time",
    "ammeter": "electric current", "voltmeter": "voltage", "compass": "direction",
    "anemometer": "wind speed", "seismograph": "earthquakes", "balance": "mass",
    "hygrometer": "humidity", "rain gauge": "rainfall",
    "odometer": "distance travelled",
}  # fmt: skip
ORGANS = {
    "heart": "pumps blood", "lungs": "takes up oxygen", "kidneys": "filters the blood",
    "brain": "thinks", "stomach": "digests food with acid", "liver": "makes bile",
    "bladder": "stores urine", "pancreas": "makes insulin",
}  # fmt: skip
UNITS = {
    "force": "newton", "energy": "joule", "power": "watt", "voltage": "volt",
    "electric current": "ampere", "electrical resistance": "ohm", "pressure": "pascal",
    "frequency": "hertz", "temperature": "kelvin", "electric charge": "coulomb",
    "capacitance": "farad", "magnetic flux density": "tesla", "illuminance": "lux",
    "radioactivity": "becquerel", "amount of substance": "mole",
}  # fmt: skip
FORMULAS = {
    "H2O": "water", "CO2": "carbon dioxide", "NaCl": "table salt", "CH4": "methane",
    "NH3": "ammonia", "H2SO4": "sulfuric acid", "HCl": "hydrochloric acid",
    "HNO3": "nitric acid", "O3": "ozone", "H2O2": "hydrogen peroxide",
    "C6H12O6": "glucose", "C2H5OH": "ethanol", "C3H8": "propane",
    "CaCO3": "calcium carbonate", "NaOH": "sodium hydroxide", "CO": "carbon monoxide",
    "N2O": "nitrous oxide", "Fe2O3": "iron(III) oxide", "SiO2": "silicon dioxide",
    "C6H6": "benzene",
}  # fmt: skip
SENSES = {"eye": "sight", "ear": "hearing", "nose": "smell", "tongue": "taste",
          "skin": "touch"}  # fmt: skip


def _turned(table):
    return {thing: answer for answer, thing in table.items()}


def _spread(table, between):
    return {one: kind for kind, many in table.items() for one in many.split(between)}


# What a question holds, and the answers to it.
ANSWERS = {
    "chemical symbol": SYMBOLS, "protons": PROTONS, "animal": _spread(GROUPS, " "),
    "room temperature": _spread(STATES, ","), "instrument": _turned(TOOLS),
    "organ does": _turned(ORGANS), "unit": _turned(UNITS), "formula": _turned(FORMULAS),
    "sense": SENSES,
}  # fmt: skip


def fact(seed, form, steps, answer):
    lines, options = Lines(steps), {}
    question, *listed = seed.prompt.split("\n")
    for one in listed:
        letter, _, text = one.partition(") ")
        options[letter] = text
    table = next(table for words, table in ANSWERS.items() if words in question)
    thing, right = lines.take(r"(.+?): (.+)")
    # The whole thing, at a question's end or before its verb: `what is air?`
    need(re.search(rf"[ :]{re.escape(thing)}(?:\?| measure\?)", question), question)
    need(table[thing] == right, thing)
    for letter, text in options.items():
        if text == right:
            lines.exactly(f"{letter}) {text} yes")
            need(answer == letter, answer)
            if form == "short":
                break
        elif form == "short":
            lines.exactly(f"{letter}) {text} no")
        else:
            told = lines.take(rf"{letter}\) {re.escape(text)}, as for (.+), no")
            need(table[told[0]] == text, told)
    lines.end()


CHECKS = {
    "facts-1": fact, "facts-2": fact, "facts-3": fact, "speed": speed,
    "convert-1": convert, "convert-2": convert, "distance": distance, "ohm": ohm,
    "density": density, "energy": energy,
}  # fmt: skip
