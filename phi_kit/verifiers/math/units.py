"""What stands around a number: a unit, a currency, a percent sign, `million`.

One table for every verifier. `read_unit` gives a unit as pint spells it, for those
that convert; `canonical_unit` gives a name that is only compared: `5 cm` is not
`5 m`, and `5` alone may be either. Words that are no unit (`apples`) say nothing.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import product

_PREFIXES = {"k": "kilo", "c": "centi", "m": "milli", "M": "mega", "G": "giga"}
_PREFIXES |= {"µ": "micro", "u": "micro", "n": "nano", "d": "deci", "h": "hecto"}
_PREFIXED = {
    **{"m": "meter", "g": "gram", "s": "second", "A": "ampere", "K": "kelvin"},
    **{"mol": "mole", "N": "newton", "J": "joule", "W": "watt", "V": "volt"},
    **{"Ω": "ohm", "Pa": "pascal", "Hz": "hertz", "C": "coulomb", "F": "farad"},
    **{"T": "tesla", "H": "henry", "L": "liter", "l": "liter", "Wh": "watt_hour"},
    **{"eV": "electron_volt", "bar": "bar", "B": "byte", "ohm": "ohm"},
}
_SYMBOLS = {
    **{"min": "minute", "h": "hour", "hr": "hour", "hrs": "hour", "d": "day"},
    **{"secs": "second", "sec": "second", "mins": "minute", "kph": "kilometer/hour"},
    **{"kmh": "kilometer/hour", "mph": "mile/hour", "t": "metric_ton"},
    **{"°C": "degC", "°F": "degF", "degC": "degC", "degF": "degF", "°": "degree"},
    **{"ft": "foot", "in": "inch", "yd": "yard", "lb": "pound", "lbs": "pound"},
    **{"oz": "ounce", "cal": "calorie", "kcal": "kilocalorie", "atm": "atmosphere"},
    **{"mi": "mile", "rad": "radian", "%": "percent", "cc": "centimeter**3"},
    **{"gal": "gallon", "yr": "year", "gm": "gram", "deg": "degree"},
}
_SYMBOLS |= {"Km": "kilometer", "KM": "kilometer", "Kg": "kilogram", "KG": "kilogram"}
_SPELLED = (
    *("meter", "gram", "second", "ampere", "kelvin", "mole", "newton", "joule"),
    *("watt", "volt", "ohm", "pascal", "hertz", "coulomb", "liter", "byte"),
)
_WHOLE_WORDS = (
    *("minute", "hour", "day", "week", "month", "year", "mile", "inch", "foot"),
    *("yard", "pound", "ounce", "gallon", "calorie", "kilocalorie", "percent"),
    *("degree", "radian"),
)
_IRREGULAR = {"feet": "foot", "inches": "inch", "celsius": "degC"}
_IRREGULAR |= {"fahrenheit": "degF", "hertz": "hertz", "tonne": "metric_ton"}
_IRREGULAR |= {"tonnes": "metric_ton", "amp": "ampere", "amps": "ampere"}
_ELSEWHERE = {
    **{"мм": "millimeter", "см": "centimeter", "м": "meter", "км": "kilometer"},
    **{"мг": "milligram", "г": "gram", "кг": "kilogram", "мл": "milliliter"},
    **{"л": "liter", "с": "second", "сек": "second", "мин": "minute", "ч": "hour"},
    **{"毫米": "millimeter", "厘米": "centimeter", "米": "meter", "千米": "kilometer"},
    **{"公里": "kilometer", "毫克": "milligram", "克": "gram", "千克": "kilogram"},
    **{"公斤": "kilogram", "毫升": "milliliter", "升": "liter", "秒": "second"},
    **{"分钟": "minute", "小时": "hour", "センチ": "centimeter", "メートル": "meter"},
    **{"キロメートル": "kilometer", "グラム": "gram", "キログラム": "kilogram"},
    **{"分": "minute", "時間": "hour", "초": "second", "분": "minute", "시간": "hour"},
    **{
        "미터": "meter",
        "킬로미터": "kilometer",
        "그램": "gram",
        "킬로그램": "kilogram",
    },
}
# Compared, never converted.
_MONEY = {
    **dict.fromkeys(("$", "us$", "usd", "dollar", "dollars", "buck", "bucks"), "$"),
    **dict.fromkeys(("cent", "cents", "¢"), "cent"),
    **dict.fromkeys(("€", "eur", "euro", "euros"), "€"),
    **dict.fromkeys(("£", "gbp"), "£"),
    **dict.fromkeys(("₹", "inr", "rupee", "rupees", "rs"), "₹"),
    **dict.fromkeys(("₽", "rub", "руб", "рубль", "рубля", "рублей"), "₽"),
    **dict.fromkeys(("元", "yuan", "rmb", "cny", "人民币"), "yuan"),
    **{"¥": "¥", "円": "¥", "yen": "¥", "원": "₩", "₩": "₩", "美元": "$"},
}
SCALES = {
    **{"dozen": 12, "hundred": 100, "thousand": 1000, "lakh": 10**5, "crore": 10**7},
    **{"million": 10**6, "billion": 10**9, "trillion": 10**12},
    **{"millions": 10**6, "billions": 10**9, "thousands": 1000, "hundreds": 100},
    **{"mil": 1000, "mille": 1000, "tausend": 1000, "тыс": 1000},
    **{"millones": 10**6, "millón": 10**6, "millionen": 10**6, "milhões": 10**6},
    **{"milliarden": 10**9, "milliards": 10**9, "млн": 10**6, "млрд": 10**9},
    **dict.fromkeys(("тысяча", "тысячи", "тысяч"), 1000),
    **dict.fromkeys(("миллион", "миллиона", "миллионов"), 10**6),
    **dict.fromkeys(("миллиард", "миллиарда", "миллиардов"), 10**9),
}
_CLOSE_SCALES = {
    **{"百": 100, "千": 1000, "万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8},
    **{"천": 1000, "만": 10**4, "억": 10**8},
}

_ONE = (
    r"(?:(?i:degrees?\s+(?:celsius|fahrenheit|[CF])\b)|\\Omega|"
    r"°\s?[CF]?(?![a-zA-Z])|%|[$€£¥₹₽₩¢]|[^\W\d_]+)"
)
_POWER = r"(?:\s?(?:\^|\*\*)\s?\{?-?[1-4]\}?|[⁻]?[¹²³⁴]|(?<=[a-z])[23](?![\w.]))?"
_JOIN = r"(?:\s*(?:[·*/⋅]|\\cdot)\s*|\s+(?:per|times|an?)\s+|\s?-\s?(?=hour)|\s+)"
_PART = re.compile(
    rf"({_JOIN})?(square\s+|cubic\s+|sq\.?\s+)?({_ONE})"
    rf"({_POWER}|\s+squared\b|\s+cubed\b)"
)
_SUPER = str.maketrans("⁻¹²³⁴", "-1234")
_POWERS = {"square": 2, "sq": 2, "sq.": 2, "squared": 2, "cubic": 3, "cubed": 3}

_PERCENT = re.compile(
    r"(?:%|percent(?:age)?\b|per cent\b|pct\b|проц\w*|百分)(?: points?\b)?",
    re.IGNORECASE,
)
# Words that make what follows a number something else than its unit.
STOP_WORDS = re.compile(
    r"\b(?:or|not|plus|minus|times|than|less|more|least|most|if|when|but|pi|sqrt|sin|"
    r"cos|tan|log|ln|exp|mod|and|to|half|halves|thirds?|quarters?|fourths?|fifths?|"
    r"(?:ten|hundred|thousand|six|seven|eigh|nin)ths?|i|e|x|y|z|"
    r"t|n|squared|cubed|factorial|over|divided|или|и|o|ou|oder|und|et)\b",
    re.IGNORECASE,
)
_PHRASE = re.compile(r"[^\W\d_][\w'’µ²³^{}\s/.()-]*|[$€£¥₹₽₩].*")
_EXPONENT = re.compile(r"\^\s?\{?(-?\d)\}?")
_FOREIGN = re.compile(r"[^\W\d_a-zA-ZÀ-ɏα-ωΑ-Ωµ]")
# What a sentence of another language ends with behind its number.
_ENDING = re.compile(r"\s*(?:입니다|이다|이에요|예요|です|である|だ|है|हैं)\s*[.。]?$")


@cache
def _symbols() -> dict[str, str]:
    """Every symbol with the name pint knows it by; case tells `mW` from `MW`."""
    prefixed = {
        prefix + symbol: long + name
        for (prefix, long), (symbol, name) in product(
            _PREFIXES.items(), _PREFIXED.items()
        )
    }
    return prefixed | _PREFIXED | _SYMBOLS | _ELSEWHERE


@cache
def _words() -> dict[str, str]:
    """Every spelled unit, singular and plural, in one case."""
    words = {name: name for name in (*_SPELLED, *_WHOLE_WORDS)}
    for prefix, name in product(set(_PREFIXES.values()), _SPELLED):
        words[prefix + name] = prefix + name
    words |= {
        word.replace("meter", "metre").replace("liter", "litre"): name
        for word, name in words.items()
    }
    return words | {f"{word}s": name for word, name in words.items()} | _IRREGULAR


def _parts(text: str, *, money: bool) -> tuple[list[tuple[str, int]], str]:
    """The units a text begins with, each with its exponent, and the rest."""
    parts: list[tuple[str, int]] = []
    position, below = 0, False
    while match := _PART.match(text, position):
        join, area, name, power = match.groups()
        unit = _known(name)
        if unit is None and money:
            unit = _MONEY.get(name.casefold())
        plain_join = join is not None and not join.strip()
        if unit is None or (join is None) == bool(parts):
            break
        if plain_join and name in ("in", "a"):
            break
        if join and join.strip():
            below = join.strip() in ("/", "per", "a", "an")
        written = (area or power).strip()
        exponent = _POWERS.get(written) or int(
            written.translate(_SUPER).strip("^*{} ") or 1
        )
        parts.append((unit, -exponent if below else exponent))
        position = match.end()
    return parts, text[position:]


def _known(name: str) -> str | None:
    if scale := re.match(r"(?i)degrees?\s+([cf])", name):
        return f"deg{scale[1].upper()}"
    name = name.replace(" ", "").replace("μ", "µ").replace(r"\Omega", "Ω")
    return _symbols().get(name) or _words().get(name.casefold())


def read_unit(text: str) -> tuple[str, str] | None:
    """The longest unit a text begins with, as pint spells it, and the rest.

    `m/s because` is `(meter)**(1)*(second)**(-1)` and ` because`; `because` is `None`.
    """
    parts, rest = _parts(text, money=False)
    return ("*".join(f"({n})**({e})" for n, e in parts), rest) if parts else None


def canonical_unit(text: str) -> str:
    """A unit by one name however it is spelled, or an empty text."""
    parts, rest = _parts(text.strip(), money=True)
    if not parts or rest.strip(" ."):
        return ""
    powers: dict[str, int] = {}
    for name, exponent in parts:
        for sign, unit in ((1, name.split("/")[0]), (-1, name.partition("/")[2])):
            base, _, more = unit.partition("**")
            if base:
                add = sign * exponent * int(more or 1)
                powers[base] = powers.get(base, 0) + add
    return " ".join(f"{n}^{e}" if e != 1 else n for n, e in sorted(powers.items()) if e)


def split_trailing_unit(text: str) -> tuple[str, str]:
    r"""A formula and the unit it ends on: `5\sqrt{2}` and `centimeter`."""
    for space in re.finditer(r"(?<=[\w})!])\s+(?=[^\W\d_])", text):
        if name := canonical_unit(text[space.end() :]):
            return text[: space.start()], name
    return text, ""


def read_percent(text: str) -> tuple[bool, str]:
    """Whether a percent sign opens what follows a number, and the rest."""
    match = _PERCENT.match(text)
    return (True, text[match.end() :].strip()) if match else (False, text)


def read_scale(text: str, *, close: bool = False) -> tuple[int, str]:
    """What words such as `million` multiply by, and the rest; `k` close to a number."""
    times = 1
    while text:
        if scale := _CLOSE_SCALES.get(text[0]):
            # 千克 and 千米 are units of their own.
            if text[:2] in _ELSEWHERE:
                break
            times, text = times * scale, text[1:].lstrip()
            continue
        word = re.match(r"[^\W\d_]+\.?", text)
        scale = SCALES.get(word[0].lower().rstrip(".")) if word else None
        if scale is None and close and word and word[0] == "k":
            scale = 1000
        if scale is None:
            break
        times, text, close = times * scale, text[word.end() :].lstrip(), False
    return times, text


def unit_name(text: str, *, close: bool) -> str | None:
    """The unit a text is, `""` for words that are none, `None` for neither.

    Args:
        text: what follows a number.
        close: whether it stands without a space: `5x` is no unit, `5cm` is.
    """
    text = _ENDING.sub("", text.strip()).rstrip(".")
    if not text:
        return ""
    if not _PHRASE.fullmatch(text) or len(text.split()) > 6:
        return None
    if re.search(r"\d", _EXPONENT.sub("", text)):
        return None
    foreign = bool(_FOREIGN.match(text))
    if name := canonical_unit(text):
        alone = close and len(text) == 1 and not foreign and text not in "$€£¥₹₽₩°"
        return None if alone else name
    if foreign:
        return None if len(text) == 1 and "\u0400" <= text < "\u0530" else ""
    if close or STOP_WORDS.search(text) or not re.search(r"[^\W\d_]{3}", text):
        return None
    return ""
