"""An answer's text made plain: no delimiters, no bold, no typesetting."""

from __future__ import annotations

import re
import unicodedata

# Superscripts first: NFKC would make `5²` a `52`.
_SUPER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SUPERS = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_SIGNS = {
    **{"−": "-", "–": "-", "⁄": "/", "÷": "/"},
    **{"×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot "},
    **{"π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge "},
    **{"∪": r"\cup ", "±": r"\pm ", "°": r"^\circ ", "≠": r"\ne "},
    **{"\u2009": " ", "\u202f": " ", "\u00a0": " "},
}
_SIGN = re.compile("[" + "".join(map(re.escape, _SIGNS)) + "]")
_ROOT = re.compile(r"√\s*(?:\(([^()]*)\)|([\w.]+))")
_STYLES = (
    r"text|textbf|textit|textrm|texttt|textsf|mathrm|mathbf|mathit|mathsf|mathtt|"
    r"bm|boldsymbol|mbox|hbox|displaystyle|operatorname|emph|underline"
)
_STYLED = re.compile(rf"\\(?:{_STYLES})\s*\{{([^{{}}]*)\}}")
_DROP = re.compile(
    r"\\(?:left|right|big|Big|bigg|Bigg|displaystyle|limits|quad|qquad)(?![a-zA-Z])"
    r"|\\[!,;: ]|~"
)
_DELIMITERS = (
    re.compile(r"^\$\$(.*)\$\$$", re.DOTALL),
    re.compile(r"^\$((?:[^$\\]|\\.)*)\$$", re.DOTALL),
    re.compile(r"^\\\((.*)\\\)$", re.DOTALL),
    re.compile(r"^\\\[(.*)\\\]$", re.DOTALL),
    re.compile(r"^(?:\*\*|__)(.+?)(?:\*\*|__)$", re.DOTALL),
    re.compile(r"^[*`](?!\*)(.+?)[*`]$", re.DOTALL),
    re.compile(r'^["“”«](.+?)["“”»]$', re.DOTALL),
)
_EXPONENT = re.compile(r"\^\s*(-?\d+(?:\.\d+)?)")
_TOWER = re.compile(r"\^\{([^{}]*)\}\^\{([^{}]*)\}")
_FRAC = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
# `\frac12`, `\frac{1}2` and `\frac1{2}` are all one half.
_SHORT_FRAC = re.compile(r"\\frac\s*(\{[^{}]*\}|\w)\s*(\{[^{}]*\}|\w)")
_SHORT_ROOT = re.compile(r"\\sqrt\s*(\w)")
_NAMES = (
    (r"\leq", r"\le"),
    (r"\geq", r"\ge"),
    (r"\leqslant", r"\le"),
    (r"\geqslant", r"\ge"),
    (r"\neq", r"\ne"),
    (r"\dots", r"\ldots"),
    (r"\cdots", r"\ldots"),
    (r"\lbrace", r"\{"),
    (r"\rbrace", r"\}"),
    (r"\degree", r"^\circ"),
    (r"\%", "%"),
    (r"\$", "$"),
    (r"\bigcup", r"\cup"),
)
_RENAMES = tuple(
    (re.compile(re.escape(old) + ("(?![a-zA-Z])" if old[-1].isalpha() else "")), new)
    for old, new in sorted(_NAMES, key=lambda pair: -len(pair[0]))
)


def bare(text: str) -> str:
    """The text without wrappers: dollars, bold, quotes, a full stop."""
    while True:
        before = text
        text = text.strip().rstrip("。")
        # `5.` ends a sentence; `\\left.` and `...` do not.
        if text.endswith(".") and not text.endswith(("..", r"\right.")):
            text = text[:-1].rstrip()
        text = text.rstrip(",;:").strip()
        for shape in _DELIMITERS:
            found = shape.match(text)
            if found and found[1].strip():
                text = found[1]
        if text == before:
            return text


def plain(text: str) -> str:
    """One spelling for every way of typesetting the same answer."""
    text = bare(text)
    if not text.isascii():
        text = _SUPERS.sub(lambda m: f"^{{{m[0].translate(_SUPER)}}}", text)
        text = _SIGN.sub(lambda m: _SIGNS[m[0]], text)
        text = _ROOT.sub(lambda m: rf"\sqrt{{{m[1] or m[2]}}}", text)
        text = unicodedata.normalize("NFKC", text).replace("⁄", "/")
    if "\\" in text:
        text = _plain_latex(text)
    text = text.replace("**", "^") if re.search(r"[\w)]\*\*[\w(]", text) else text
    if "^" in text:  # `x^10` and `2^3^4` as people mean them, not as TeX reads them
        text = _EXPONENT.sub(r"^{\1}", text)
        text = _TOWER.sub(r"^{\1^{\2}}", text)
    text = text.replace("{,}", ",")
    text = re.sub(r"(?<=\d)\^\{?\\circ\s*\}?", " degrees", text)
    return re.sub(r"\s+", " ", bare(text)).strip("*` ")


def _plain_latex(text: str) -> str:
    text = _FRAC.sub(r"\\frac", text)
    for old, new in _RENAMES:
        text = old.sub(lambda _, new=new: new, text)
    text = _DROP.sub(lambda m: "" if m[0] == r"\!" else " ", text)
    for _ in range(3):  # styles nest, never deeply
        text = _STYLED.sub(lambda m: f" {m[1]} ", text)
    text = _SHORT_FRAC.sub(lambda m: rf"\frac{_braced(m[1])}{_braced(m[2])}", text)
    return _SHORT_ROOT.sub(r"\\sqrt{\1}", text)


def _braced(piece: str) -> str:
    return piece if piece.startswith("{") else f"{{{piece}}}"
