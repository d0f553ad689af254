"""What stands around a number: a unit, a currency, a percent sign, `million`.

Units are compared, never converted: `5 cm` is not `5 m`, and `5` alone may be
either. Words that are no unit of the table (`apples`) say nothing.
"""

from __future__ import annotations

import re

_ALIASES = {
    "mm": "millimeter millimetre",
    "cm": "centimeter centimetre",
    "m": "meter metre",
    "km": "kilometer kilometre",
    "in": "inch inches",
    "ft": "foot feet",
    "yd": "yard",
    "mi": "mile",
    "mg": "milligram",
    "g": "gram gm",
    "kg": "kilogram kilo",
    "lb": "pound lbs",
    "oz": "ounce",
    "ml": "milliliter millilitre",
    "l": "liter litre",
    "gal": "gallon",
    "s": "second sec",
    "min": "minute mins",
    "h": "hour hr hrs",
    "day": "days",
    "week": "weeks",
    "month": "months",
    "year": "years yr",
    "mph": "",
    "deg": "degree degrees",
    "rad": "radian",
    "$": "dollar dollars usd buck",
    "cent": "cents",
    "€": "euro eur",
    "£": "gbp",
    "°c": "celsius",
    "°f": "fahrenheit",
    "n": "newton",
    "j": "joule",
    "w": "watt",
    "v": "volt",
    "k": "kelvin",
    "hz": "hertz",
    "pa": "pascal",
}
_KNOWN = {name: name for name in _ALIASES} | {
    alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()
}
SCALES = {
    **{"dozen": 12, "hundred": 100, "thousand": 1000},
    **{"million": 10**6, "billion": 10**9, "trillion": 10**12},
}
_PERCENT = re.compile(r"(?:%|percent\b|per cent\b|pct\b)(?: points?\b)?", re.IGNORECASE)
# Words that make what follows a number something else than its unit.
_STOP = re.compile(
    r"\b(?:or|not|plus|minus|times|than|less|more|least|most|if|when|but|pi|sqrt|sin|"
    r"cos|tan|log|ln|exp|mod|and|to|half|halves|thirds?|quarters?|i|e|x|y|z|t|n)\b",
    re.IGNORECASE,
)
_PHRASE = re.compile(r"[a-zA-Z$€£²³µ][a-zA-Z'’µ²³^{}\d\s/.()-]*")
_POWER = re.compile(r"\^\{?(-?\d)\}?")


def percent(text: str) -> tuple[bool, str]:
    """Whether a percent sign opens what follows a number, and the rest."""
    found = _PERCENT.match(text)
    return (True, text[found.end() :].strip()) if found else (False, text)


def scale(text: str) -> tuple[int, str]:
    """What a word such as `million` multiplies by, and the rest."""
    word, _, rest = text.partition(" ")
    times = SCALES.get(word.lower().rstrip("."))
    return (times, rest.strip()) if times else (1, text)


def unit(text: str, *, close: bool) -> str | None:
    """The unit a text is, `""` for words that are none, `None` for neither.

    Args:
        text: what follows a number.
        close: whether it stands without a space: `5x` is no unit, `5cm` is.
    """
    text = text.strip().rstrip(".")
    if not text:
        return ""
    if not _PHRASE.fullmatch(text) or len(text.split()) > 6:
        return None
    if re.search(r"\d", _POWER.sub("", text)):
        return None
    name = canonical(text)
    if name:
        return None if close and len(text) == 1 and text not in "$€£" else name
    if close or _STOP.search(text) or not re.search(r"[a-zA-Z]{3}", text):
        return None
    return ""


def canonical(text: str) -> str:
    """A unit in the table's own spelling, or an empty text."""
    if re.match(r"M[a-z]\b", text.strip()):
        return ""  # a megametre is no millimetre, whoever writes `KM` means `km`
    text = text.strip().lower()
    powers = {"square": "^2", "sq": "^2", "cubic": "^3", "squared": "^2", "cubed": "^3"}
    exponent = ""
    words = []
    for word in re.split(r"[\s.]+", text):
        if word in powers:
            exponent = powers[word]
        elif word:
            words.append(word)
    text = " ".join(words)
    if found := _POWER.search(text):
        exponent = f"^{found[1]}"
        text = text[: found.start()].strip()
    base, _, per = re.sub(r"\s+per\s+|\s*/\s*", "/", text).partition("/")
    names = [_name(base), *([_name(per)] if per else [])]
    name = "/".join(names) + exponent if all(names) else ""
    return {"mi/h": "mph"}.get(name, name)


def _name(word: str) -> str:
    return _KNOWN.get(word) or _KNOWN.get(word.removesuffix("s"), "")
