"""The numbers in running text, each with what changes its value.

A number is read with its sign, its exponent and its scale word, or it is not
read at all: `minus 5` is no 5, nor is `5!`, `√5`, `5π`, `1.5k` or `5 and a half`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from phi_kit.verifiers.base import visible

from . import units
from .exact_arithmetic import parse_exact
from .latex import normalize_prose

_LONGEST = 300  # digits; a model that runs wild writes thousands of them
_DIGITS = r"(?:\d(?:[\d.,]*\d)?|\.\d+)"
_TENS = r"\s*(?:\\times|\\cdot|[xX*])\s*10\s*\^\s*\{?[-+]?\d{1,3}\}?"
_COIN = r"(?:(?:US|AU?|CA?|NZ|HK|R)?\\?\$|[€£¥₹₽₩])\s*"
_ITEM = re.compile(
    rf"(?P<sign>[-+](?=[\s$€£¥.\d\\]))?\s?(?P<coin>{_COIN})?(?P<minus>-)?(?P<number>"
    rf"(?:\d+\s*)?\\frac\{{-?\d+\}}\{{-?\d+\}}|\d+ \d+/\d+(?![\d/])|"
    rf"\d{{1,3}}(?: \d{{3}})+(?!\d|,\d)(?:\.\d+)?|"
    rf"{_DIGITS}(?:[eE][-+]?\d{{1,3}}(?!\w)|\^\{{-?\d{{1,4}}\}}(?!\s?\^))?(?:{_TENS})?(?:\s*/\s*\d+(?![\d.,]*\d))?)"
    r"(?P<factorial>!*(?!=))"
)
# Where an answer ends and its reasons begin.
REASON = re.compile(r"\b(?:because|since)\b", re.IGNORECASE)
# Before a number: what makes it part of something else.
_GLUED = re.compile(r"[A-Za-zÀ-ɏα-ωΑ-Ω\d_.\\][)\]]?$|\d,$")
_UNREAD = re.compile(
    r"(?:\\(?!f?boxed)[a-zA-Z]+(?:\[\d+\])?|[\^_}])\s*\{$|[\^_&]\s*$|[a-zA-Z]\($|\d:$|\d'$|"
    r"(?:\\(?:le|ge|ne|pm|times|cdot|sim|log|ln|sin|cos|tan|sqrt)|±|[<>~]=?|√)\s*$|"
    r"\d\s+(?:plus|minus|times|divided by|multiplied by)\s*$|"
    r"\b(?:log|ln|sin|cos|tan|sqrt|root of|half of|third of|quarter of|"
    r"twice|double|triple|mod)\s*$"
)
_ARROW = re.compile(r"[-=~]>\s*$")
_OPERATOR = re.compile(
    r"(?:[\d)}\]]|(?<![a-zA-Z])[a-zA-Z])[ \t]*(?:[-+*×÷^/]|\*\*|\\times|\\cdot)[ \t]*$|"
    r"[*×÷^/][ \t]*$(?<![*]{2})(?<!\*)"
)
_LISTED = re.compile(
    r"(?:\b(?:and/or|and|or|to|oder|ou|или|或)|[–~]|\.\.)\s*\\?[$€£]?\s*$|或$|和$"
)
_FIRST = re.compile(r"[(\[{]\s*$")
_SECOND = re.compile(r"\s*[,;]\s*[-+\\$]?[\d\\]")
_ROW = re.compile(r"(?:^|[=:({\[]|\b(?:is|are|be)\b)\s*[-\d., ]*\d, ?$")
_DENIED = re.compile(
    r"(?:\bnot|n't|\binstead of|\brather than|\bnever)(?:\s+(?:be|is|equal to))?\s*$",
    re.IGNORECASE,
)
# Behind a number.
_MORE = re.compile(
    r"\s*(?:‰|(?:[+×÷^]|\\times|\\cdot|\*(?!\s*(?:$|\*|\W))|/(?!\s*[A-Za-z]{2})|-(?=\s*[\d(\\]))"
    r"\s*[\w(\\{.]|(?:[-+×÷^=]|\s\*)\s*$|[_&]|:\d|,\d|\.\d|\s?\.\.+\.?\d|'\d)"
)
_COMMAND = re.compile(
    r"\s*\\(?!text|quad|qquad|end|begin|right|cr|boxed|approx|Omega|mu|[,;:!)\]%$ ])"
)
_OTHER = re.compile(
    r"\s+(?:half|halves|thirds?|quarters?|fourths?|fifths?|squared|cubed|factorial|pi|mod|tenths?|"
    r"(?:hundred|thousand|six|seven|eigh|nin)ths?|"
    r"(?:plus|minus|times|over|divided by|to|or|through)\s+[-$€£]?(?:\d|[a-z]\b)|"
    r"out of\s+\d|(?:or|to) \w+ (?:more|less))\b",
    re.IGNORECASE,
)
_ORDINAL = re.compile(r"(?:st|nd|rd|th)\b")
_MODULUS = re.compile(r"(?:\(\s*\\?mod|\\pmod\s*\{?)\s*$")
_RAISED = re.compile(r"([^\W\d_]+)\s?\^\s?\{?-?$")
_UNIT = re.compile(r"[^\W\d_]+(?:\s?/\s?[^\W\d_]+|\s?\^\s?\{?-?\d\}?)*")
_WORD = re.compile(r"[^\W\d_]+")
_TAIL = re.compile(r"[^.,;:!?\n()=]{0,30}")
_EMPTY = re.compile(r"\s{4,}")
_DOTS = re.compile(r"\s?(?:\.\.\.|…|\\ldots|\\cdots)")


@dataclass(frozen=True)
class NumberInText:
    """A number in a text.

    Args:
        text: how it is written, with its sign and scale word.
        value: what it is; `None` where that cannot be read.
        begin: where it stands.
        end: where what belongs to it ends.
        denied: whether the text denies it: `not 5`.
        tail: the words behind it, in which its unit may stand.
    """

    text: str
    value: Fraction | None
    begin: int
    end: int
    denied: bool = False
    tail: str = ""


def find_numbers(text: str, *, measured: bool = False) -> tuple[NumberInText, ...]:
    """Every number of a text that `normalize_numbers` has prepared, in order.

    Args:
        text: the text.
        measured: whether units are expected, so that the letter in `12V` is one.
    """
    numbers: list[NumberInText] = []
    for item in _ITEM.finditer(text):
        if number := _number_at(text, item, numbers, measured):
            numbers.append(number)
    return tuple(numbers)


def searchable_text(response: str) -> str:
    """The visible response, with long runs of white space shortened."""
    return _EMPTY.sub(lambda m: "\n\n" if "\n" in m[0] else "  ", visible(response))


def normalize_numbers(text: str) -> str:
    """A text as `find_numbers` reads it: one spelling, no mathematical dollar signs."""
    text = (
        normalize_prose(text)
        if re.search(r"[\\$^*_'’{]|[^\x00-\x7f]|\b(?:and|minus|neg)", text)
        else text
    )
    # What is left of `$x = 5$`; the dollar of `$5` stays.
    return re.sub(r"\$(?![\d.\-(])|(?<=[\d)}])\$", " ", text) if "$" in text else text


def _number_at(
    text: str, item: re.Match[str], earlier: list[NumberInText], measured: bool
) -> NumberInText | None:
    begin, end = item.start("number"), item.end()
    before = text[max(0, item.start() - 60) : item.start()]
    start = item.start("coin") if item["coin"] else begin
    sign = item["sign"] or item["minus"] or ""
    if item["sign"]:
        begin_sign = item.start("sign")
        left = text[max(0, begin_sign - 60) : begin_sign]
        if _binary(left):
            return NumberInText(item[0], None, start, end)
        if re.match(r"[-+]\s", item[0]) and not _signs(left, text):
            sign = ""
        before = left
    elif _GLUED.search(text[max(0, start - 3) : start]):
        return None
    raised = _RAISED.search(before)
    if _MODULUS.search(before):
        return None  # `9 (mod 11)` says 9
    if raised and earlier and units.canonical_unit(raised[1]):
        return None  # the exponent of a unit: `5 cm^2`
    value = _value(item["number"], item["factorial"])
    times, unit_end, fits = _after(text, end, measured)
    readable = (
        value is not None
        and fits
        and not _is_part_of_another(before, earlier, start, end, text)
    )
    if readable:
        value = (-value if sign == "-" else value) * times
    shown = f"{'-' if sign == '-' else ''}{text[start:unit_end]}".strip()
    denied = bool(_DENIED.search(before))
    tail = _TAIL.match(text, unit_end)[0]
    return NumberInText(
        shown, value if readable else None, start, unit_end, denied, tail
    )


def _binary(left: str) -> bool:
    """Whether a sign after this text adds or takes away."""
    return bool(re.search(r"(?:[\d)}\]%!]|(?<![a-zA-Z\\])[a-zA-Z])\s*$", left))


def _signs(left: str, text: str) -> bool:
    """Whether `- 5` after this text is a sign, not a dash or a list's mark."""
    if not left.strip():
        return "\n" not in text.strip() and not re.search(r"[A-Za-z]{2}", text)
    return bool(re.search(r"[=(:{\[]\s*$|\b(?:is|are|be|to)\s*$", left))


def _value(number: str, factorial: str) -> Fraction | None:
    if len(number) > _LONGEST:
        return None
    if "," in number and re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+", number):
        number = number.replace(".", "").replace(",", ".")
    exact = parse_exact(number + factorial)
    return exact.value if exact else None


def _is_part_of_another(
    before: str, earlier: list[NumberInText], start: int, end: int, text: str
) -> bool:
    """Whether what stands before a number makes it another one, or one of several."""
    if _UNREAD.search(before) and not _ARROW.search(before):
        return True
    if _OPERATOR.search(before):
        return True
    if _FIRST.search(before) and _SECOND.match(text, end):
        return True
    if not earlier:
        return False
    last = earlier[-1]
    between = text[last.end : start]
    if _LISTED.search(before) and re.fullmatch(r"[^.;!?\n]{0,12}", between):
        return True
    return bool(_ROW.search(before)) and bool(re.fullmatch(r"\s*,\s*\$?", between))


def _after(text: str, end: int, measured: bool) -> tuple[int, int, bool]:
    """What a number's scale words multiply by, where it ends, whether it is read."""
    rest = text[end : end + 60]
    if _MORE.match(rest) or _COMMAND.match(rest) or _OTHER.match(rest):
        return 1, end, False
    if _DOTS.match(rest) and re.search(r"\.\d+$", text[:end][-20:]):
        return 1, end, False
    close = _WORD.match(rest)
    times, after = units.read_scale(rest.lstrip(), close=bool(close))
    if times != 1:
        end += len(rest) - len(after)
        return times, end, not _OTHER.match(" " + after)
    if close and not _ORDINAL.match(rest):
        word = _UNIT.match(rest)[0]
        if measured and units.read_unit(word):
            return 1, end, True
        return 1, end, units.unit_name(word, close=True) is not None
    return 1, end, True
