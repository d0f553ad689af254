r"""Normalizes an answer's text: no delimiters, no bold, no typesetting.

Three ways of writing meet here: LaTeX (`\dfrac12`), Unicode (`½`, `√5`, `5²`) and
plain notation (`sqrt(5)`, `2*pi`, `oo`). `normalize_answer` gives a short answer
one spelling, which is LaTeX without typesetting; `normalize_prose` does the same for
running text.
"""

from __future__ import annotations

import re
import unicodedata

# Before NFKC, which makes `5²` a `52` and `2½` a `21/2`.
_SUPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿⁱ", "0123456789-+ni")
_SUPERS = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿⁱ]+")
_SUB = str.maketrans("₀₁₂₃₄₅₆₇₈₉ₙ", "0123456789n")
_SUBS = re.compile(r"[₀₁₂₃₄₅₆₇₈₉ₙ]+")
_VULGAR = re.compile(r"(\d?)\s?([¼-¾⅐-⅞↉])")
_SIGNS = {
    **{"−": "-", "–": "-", "⁄": "/", "÷": "/", "‑": "-"},
    **{"×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot "},
    **{"π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge "},
    **{"⩽": r"\le ", "⩾": r"\ge ", "≈": r"\approx ", "∈": r"\in "},
    **{"∪": r"\cup ", "∩": r"\cap ", "±": r"\pm ", "°": r"^\circ ", "≠": r"\ne "},
    **{"∅": r"\emptyset ", "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "∖": r"\setminus "},
    **{"ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}", "ℂ": r"\mathbb{C}", "θ": r"\theta "},
    **{"\u2009": " ", "\u202f": " ", "\u00a0": " ", "、": ", ", "；": "; "},
    **{"№": "# "},
}
_SIGN = re.compile("[" + "".join(map(re.escape, _SIGNS)) + "]")
_ROOT = re.compile(r"([√∛∜])\s*(?:\(([^()]*)\)|([\w.]+))")
_DEGREES = {"√": "", "∛": "[3]", "∜": "[4]"}
# How a box is written, and the styles that change the look of an argument only.
BOX_COMMAND = r"\\(?:f?boxed|fbox|framebox)"
_STYLES = (
    r"text|textbf|textit|textrm|texttt|textsf|textnormal|textup|mathrm|mathbf|mathit|"
    r"mathsf|mathtt|bm|boldsymbol|mbox|hbox|displaystyle|operatorname\*?|emph|"
    r"underline|rm|bf|mathcal|mathop"
)
STYLED = re.compile(rf"\\(?:{_STYLES})\s*\{{([^{{}}]*)\}}")
_SPACE = r"\\[,;:!> ]|\\q?quad|\\hspace\{[^{}]*\}|\\phantom\{[^{}]*\}|~"
_DROP = re.compile(
    r"\\(?:left|right|[bB]igg?[lrm]?|displaystyle|limits)(?![a-zA-Z])|" + _SPACE
)
_EDGE_SPACE = re.compile(rf"^(?:{_SPACE}|\s)+|(?:{_SPACE}|\s)+$")
_DELIMITERS = (
    re.compile(r"^\$\$(.*)\$\$$", re.DOTALL),
    re.compile(r"^\$((?:[^$\\]|\\.)*)\$$", re.DOTALL),
    re.compile(r"^\\\((.*)\\\)$", re.DOTALL),
    re.compile(r"^\\\[(.*)\\\]$", re.DOTALL),
    re.compile(r"^(?:\*\*|__)(.+?)(?:\*\*|__)$", re.DOTALL),
    re.compile(r"^[*`](?!\*)(.+?)[*`]$", re.DOTALL),
    re.compile(r'^\\?["“”«](.+?)\\?["“”»]$', re.DOTALL),
    re.compile(rf"^{BOX_COMMAND}\s*\{{([^{{}}]*)\}}$", re.DOTALL),
)
_EXPONENT = re.compile(r"\^\s*([-+]?\d+(?:\.\d+)?)")
_TOWER = re.compile(r"\^\{([^{}]*)\}\^\{([^{}]*)\}")
_FRAC = re.compile(r"\\[dtc]?frac(?![a-zA-Z])")
# `\frac12`, `\frac{1}2` and `\frac1{2}` are all one half.
_SHORT_FRAC = re.compile(r"\\frac\s*(\{[^{}]*\}|\w)\s*(\{[^{}]*\}|\w)")
_SHORT_ROOT = re.compile(r"\\sqrt\s*(\w)")
_NAMES = (
    (r"\leq", r"\le"),
    (r"\geq", r"\ge"),
    (r"\leqslant", r"\le"),
    (r"\geqslant", r"\ge"),
    (r"\lt", "<"),
    (r"\gt", ">"),
    (r"\neq", r"\ne"),
    (r"\dots", r"\ldots"),
    (r"\cdots", r"\ldots"),
    (r"\lbrace", r"\{"),
    (r"\rbrace", r"\}"),
    (r"\lbrack", "["),
    (r"\rbrack", "]"),
    (r"\degree", r"^\circ"),
    (r"\varnothing", r"\emptyset"),
    (r"\R", r"\mathbb{R}"),
    (r"\Reals", r"\mathbb{R}"),
    (r"\lvert", "|"),
    (r"\rvert", "|"),
    (r"\vert", "|"),
    (r"\ast", r"\cdot"),
    (r"\%", "%"),
    (r"\$", "$"),
    (r"\bigcup", r"\cup"),
    (r"\backslash", r"\setminus"),
)
_RENAMES = dict(_NAMES)
_RENAMED = re.compile(
    "|".join(
        re.escape(old) + ("(?![a-zA-Z])" if old[-1].isalpha() else "")
        for old in sorted(_RENAMES, key=len, reverse=True)
    )
)
# `1{,}234`, `1,\!234`, `14 {, }916`; `1\,234`; `1'234`.
_THOUSANDS = (
    (re.compile(r"(?<=\d)\s*(?:\{,\s*\}|,\\!)\s*(?=\d)"), ","),
    (re.compile(r"(?<=\d)(?:\\[,;: ]|~)(?=\d{3}(?!\d))"), " "),
    (re.compile(r"(?<=\d)['’_](?=\d{3}(?!\d))"), ","),
)
_INSIDE = re.compile(r"([{(])\s+|(?<!\\)\s+([})])")
_ROWS = re.compile(r"\\\\(?:\[[^\]]*\])?")
_ESCAPED = re.compile(r"\\\\(?=[a-zA-Z{}(),;\[\]])")

# Plain notation. Greek names and functions, where they stand as words.
_GREEK = "alpha|beta|gamma|delta|epsilon|theta|lambda|mu|sigma|omega|phi|rho|pi"
_FUNCTIONS = (
    "arcsin|arccos|arctan|sinh|cosh|tanh|sin|cos|tan|cot|sec|csc|log|ln|exp|gcd|lcm"
)
_GREEKS = re.compile(rf"(?<![a-zA-Z\\])({_GREEK})(?![a-zA-Z])")
_CALLS = re.compile(rf"(?<![a-zA-Z\\])({_FUNCTIONS})(?=\d|\b(?!\s+[a-zA-Z]{{2,}}))")
_INVERSE = re.compile(r"(?<![a-zA-Z\\])a(sin|cos|tan)(?=\s*\()")
_INFINITY = re.compile(r"(?<![a-zA-Z\\])(?:oo|inf|infty|[Ii]nfinity)(?![a-zA-Z])")
_PAREN_CALL = re.compile(r"(?<![a-zA-Z\\])(sqrt|cbrt|abs)\s*\(")
_BARE_ROOT = re.compile(r"(?<![a-zA-Z\\])sqrt\s*(\d+|[a-zA-Z](?![a-zA-Z]))")
_RELATIONS = (("<=", r"\le "), (">=", r"\ge "), ("!=", r"\ne "))
_MINUS = re.compile(
    r"(?i)(?:\b(?:minus|negative|минус|(?<!\bau )moins|(?<!\bal )menos)\s+|"
    r"(?:负|負|マイナス|마이너스)\s*)(?=[\d.$€£\\])"
)
_AND_PART = re.compile(
    r"(?i)(?<=\d)[\s-]+and[\s-]+(?:(?:a|one|1)[\s-]+(half|third|quarter|fourth|fifth)|"
    r"(two)\s+thirds|(three)\s+(?:quarters|fourths))(?![a-z])"
)
_PARTS = {
    **{"half": "1/2", "third": "1/3", "quarter": "1/4", "fourth": "1/4"},
    **{"fifth": "1/5", "two": "2/3", "three": "3/4"},
}
_PAIR = re.compile(r"\$([^$]+)\$(?!\d)")
_BOLD = re.compile(
    r"(?<![\w)*])(\*\*|__)(?=\S)(.+?)(?<=\S)\1(?![\w(*])|"
    r"(?<![\w)*])\*(?=[^\s*])([^*\n]+)(?<=[^\s*])\*(?![\w(*])"
)


def strip_wrappers(text: str) -> str:
    """The text without wrappers: dollars, bold, quotes, a full stop, an emoji."""
    while True:
        before = text
        text = _EDGE_SPACE.sub("", text)
        if text.endswith("\\") and not text.endswith("\\\\"):
            text = text[:-1].rstrip()  # what `\boxed{42\ }` ends on
        if not text.isascii():
            text = _without_ornaments(text.rstrip("。．।"))
        # `5.` ends a sentence; `\\left.` and `...` do not.
        if text.endswith(".") and not text.endswith(("..", r"\right.")):
            text = text[:-1].rstrip()
        if text[-1:] in (",", ";", ":") and text[-2:-1] != "\\":
            text = text[:-1].rstrip()
        for shape in _DELIMITERS:
            match = shape.match(text)
            if match and match[1].strip():
                text = match[1]
        if text == before:
            return text


def _without_ornaments(text: str) -> str:
    """Without the emoji and ornaments at its ends: `**5** ✅`."""
    while text and _ornament(text[-1]):
        text = text[:-1].rstrip()
    while text and _ornament(text[0]):
        text = text[1:].lstrip()
    return text


def _ornament(letter: str) -> bool:
    return unicodedata.category(letter) in ("So", "Cs", "Cf", "Mn") and letter != "°"


def normalize_answer(text: str) -> str:
    """One spelling for every way of typesetting the same short answer."""
    text = _normalize_spelling(strip_wrappers(_unescaped(re.sub(r"\s+", " ", text))))
    if "$" in text:
        text = _PAIR.sub(_opened, text)
        # `12 $ and $13` inside a box; `$5` keeps its currency.
        text = re.sub(r"\$(?=\s)|(?<=\s)\$(?![\d.])", " ", text)
    text = _notation(text)
    text = _degrees(text)
    return re.sub(r"\s+", " ", strip_wrappers(text)).strip("*` ")


def _opened(match: re.Match[str]) -> str:
    """What stands between dollars, without them; prose between prices keeps them."""
    words = re.search(r"(?<![\\a-zA-Z])[a-zA-Z]{3,}", match[1])
    return match[0] if words else f" {match[1]} "


def normalize_prose(text: str) -> str:
    """Prose with every number in it spelled as `plain` spells it."""
    text = re.sub(r"[^\S\n]{2,}", " ", text)
    text = _normalize_spelling(_BOLD.sub(lambda m: m[2] or m[3], text))
    text = re.sub(r"\\mu\s*(?=[a-zA-Z]\b)", "µ", text)
    return _degrees(text)


def _degrees(text: str) -> str:
    text = re.sub(r"\s?\^\s?\{?\\circ\s*\}?\s*([CF])(?![a-zA-Z])", r" °\1", text)
    return re.sub(r"(?<=\d)\s?\^\{?\\circ\s*\}?", " degrees", text)


def _unescaped(text: str) -> str:
    r"""`\\frac` for `\frac` throughout: the text of a JSON string."""
    if "\\\\" in text and not re.search(r"(?<!\\)\\[a-zA-Z]", text):
        return _ESCAPED.sub(r"\\", text)
    return text


def _normalize_spelling(text: str) -> str:
    for shape, mark in _THOUSANDS:
        text = shape.sub(mark, text)
    if not text.isascii():
        text = _VULGAR.sub(_fraction, text)
        text = _SUPERS.sub(lambda m: f"^{{{m[0].translate(_SUPER)}}}", text)
        text = _SUBS.sub(lambda m: f"_{{{m[0].translate(_SUB)}}}", text)
        text = _ROOT.sub(_rooted, text)
        text = _SIGN.sub(lambda m: _SIGNS[m[0]], text)
        text = unicodedata.normalize("NFKC", text).replace("⁄", "/")
    if "\\" in text:
        text = _plain_latex(text)
    if "**" in text and re.search(r"[\w)]\s?\*\*\s?[-\w(]", text):
        text = text.replace("**", "^")
    if "^" in text:  # `x^10` and `2^3^4` as people mean them, not as TeX reads them
        text = _EXPONENT.sub(r"^{\1}", text)
        text = _TOWER.sub(r"^{\1^{\2}}", text)
    text = _AND_PART.sub(lambda m: " " + _PARTS[(m[1] or m[2] or m[3]).lower()], text)
    return _MINUS.sub(_signed, text)


def _fraction(match: re.Match[str]) -> str:
    part = unicodedata.normalize("NFKC", match[2]).replace("⁄", "/")
    return f"{match[1]} {part}" if match[1] else part


def _rooted(match: re.Match[str]) -> str:
    return rf"\sqrt{_DEGREES[match[1]]}{{{match[2] or match[3]}}}"


def _signed(match: re.Match[str]) -> str:
    """A sign, or the operation where a number stands before it."""
    before = match.string[: match.start()].rstrip()
    return "- " if before[-1:].isdigit() or before[-1:] in (")", "}", "]") else "-"


def _plain_latex(text: str) -> str:
    if r"\begin" in text:
        text = _ROWS.sub(r"\\cr ", text)
    else:
        text = text.replace(r"\\", " ")
    text = _FRAC.sub(r"\\frac", text)
    text = _RENAMED.sub(lambda m: _RENAMES[m[0]] + " " * m[0][-1].isalpha(), text)
    text = _DROP.sub(lambda m: "" if m[0] == r"\!" else " ", text)
    for _ in range(3):  # styles nest, never deeply
        text = STYLED.sub(lambda m: f" {m[1]} ", text)
    text = _INSIDE.sub(lambda m: m[1] or m[2], text)
    text = _SHORT_FRAC.sub(lambda m: rf"\frac{_braced(m[1])}{_braced(m[2])}", text)
    return _SHORT_ROOT.sub(r"\\sqrt{\1}", text)


def _braced(piece: str) -> str:
    return piece if piece.startswith("{") else f"{{{piece}}}"


def _notation(text: str) -> str:
    """`sqrt(2)`, `abs(x)`, `2*pi*r`, `oo`, `x >= 2` as LaTeX."""
    for typed, command in _RELATIONS:
        text = text.replace(typed, command)
    if not re.search(r"[a-zA-Z]", text):
        return text
    text = _INFINITY.sub(r"\\infty ", text)
    text = _GREEKS.sub(r"\\\1 ", text)
    text = _INVERSE.sub(r"\\arc\1 ", text)
    for _ in range(8):
        match = _PAREN_CALL.search(text)
        end = closing_parenthesis(text, match.end()) if match else None
        if end is None:
            break
        text = (
            text[: match.start()]
            + _call(match[1], text[match.end() : end])
            + (text[end + 1 :])
        )
    text = _BARE_ROOT.sub(r"\\sqrt{\1}", text)
    return _CALLS.sub(r"\\\1 ", text)


def _call(name: str, inside: str) -> str:
    if name == "abs":
        return f"|{inside}|"
    return rf"\sqrt{'[3]' if name == 'cbrt' else ''}{{{inside}}}"


def closing_parenthesis(text: str, begin: int) -> int | None:
    """Where the parenthesis closes that opened before `begin`."""
    depth = 1
    for index in range(begin, len(text)):
        depth += (text[index] == "(") - (text[index] == ")")
        if not depth:
            return index
    return None
