"""Whether two short texts are the same words, and whether a text says them.

Folded is what carries no meaning: white space, what stands around an answer
(quotes, bold, backticks, a full stop), the width of letters. Never a sign inside:
`5²` is not `52`, `.5` not `5`, `_init_` not `init`, `5'` not `5`.

Case is folded where it is only a way of writing: in words and names. Where it tells
things apart it is kept:

- beside digits and signs: `CO2`, `5 mW`, `x_1`, `f(X)`;
- in a code of two or three letters: `CO` is not `Co`, `Mg` is not `MG` (`usa` is
  still `USA`, and `ox` may be `Ox`);
- inside a word of short parts or with a small first letter: `NaCl`, `pH`, `getItem`
  (`Youtube` is still `YouTube`).

A text with an ordinary word in it (three letters or more in one case, or with a
capital first) is prose: there case says nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from phi_kit.core.thinking import visible

from .answer_extraction import SENTENCE_BREAK
from .math.latex import STYLED

_WRAPS = (
    ("**", "**"), ("__", "__"), ("*", "*"), ("```", "```"), ("`", "`"), ('"', '"'),
    ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»"), ("„", "“"), ("「", "」"),
    ("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"),
)  # fmt: skip
_SIGNS = str.maketrans({"’": "'", "‘": "'", "‐": "-", "‑": "-", "−": "-", "–": "-"})
# Compatibility forms that differ in looks only; a superscript does not.
_LOOKS = ("<wide>", "<narrow>", "<noBreak>", "<compat>", "<initial>", "<medial>",
          "<final>", "<isolated>", "<vertical>", "<small>")  # fmt: skip
_COMMA = re.compile(r"\s*,\s*(?!\d{3}(?!\d))|(?<!\d)\s*,\s*")
_WORD = re.compile(r"[^\W\d_]+")
_PARTS = re.compile(r"[^\W\d_a-z]?[^\W\d_A-Z]+|[^\W\d_a-z]+(?![a-z])")
_SIGN = re.compile(r"[\d_(){}\[\]<>=^\\+*/|@#~²³¹⁰-⁹₀-₉]")
_OWN_STOP = re.compile(r"(?:[^\W\d_]\.){2,}$|\.\.$")
_SHORT = 3  # letters of a code; longer ones are words in capitals
_SAID_SO = {"yes", "no", "ok"}
# Scripts that put no space between words, or endings right behind them.
_CLOSE = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
)
_DENIED = re.compile(
    r"(?:\b(?:not|never|neither|nor|no|except|without|unlike|excluding|cannot|isn't|"
    r"(?:instead|rather|other)\s+(?:of|than)|nicht|kein\w*|pas)\b|n't\b|不是|并非|ではなく)"
    r"(?!\s+only\b)[^,;:.!?。，]{0,40}$",
    re.IGNORECASE,
)
_TURN = re.compile(r"\bbut\b|\brather\b(?!\s+than)|而是", re.IGNORECASE)
_REFUSED = re.compile(
    r"\W*(?:(?:is|was|are|were|would\s+be|seems)\s+(?:\w+ly\s+)?(?:not\b|wrong|incorrect|"
    r"false|mistaken)|(?:isn't|wasn't|aren't)\b|不是|不对)",
    re.IGNORECASE,
)
_EITHER_BEFORE = re.compile(
    r"(?:\b(?:or|either|nor|vs\.?)\s+|/\s*|或)\W*(?:the\s+|an?\s+)?$", re.I
)
_EITHER_AFTER = re.compile(
    r"[\"'*`)\]]*\s*(?:,\s*[^,.;!?\n]{1,40}){0,4}?,?\s*(?:(?:and/)?or\b|/\s*\w|\bvs\b|或|还是)",
    re.I,
)
_BARE_LIST = re.compile(
    r"\W*(?:[^,.;:\n]|\.(?=\w)){1,40}(?:,\s*(?:[^,.;:\n]|\.(?=\w)){1,40}){2,}\W*",
    re.DOTALL,
)


def normalize_text(text: str) -> str:
    """A short text without what only dresses it; its case is kept."""
    text = unicodedata.normalize(
        "NFC", STYLED.sub(r"\1", text) if "\\" in text else text
    )
    if not text.isascii():
        text = "".join(map(_plain_look, text)).translate(_SIGNS)
    text = " ".join(text.split())
    text = _COMMA.sub(", ", text) if "," in text else text
    before = None
    while text != before:
        before = text
        text = _undressed(text)
    return text


def _plain_look(letter: str) -> str:
    if letter.isascii():
        return letter
    decomposition = unicodedata.decomposition(letter)
    looks = decomposition.startswith(_LOOKS)
    return unicodedata.normalize("NFKC", letter) if looks else letter


def _undressed(text: str) -> str:
    # A full stop ends the sentence around an answer; `...` and `U.S.` keep theirs.
    if text[-1:] in (".", "。") and not _OWN_STOP.search(text):
        text = text[:-1].rstrip()
    for begin, end in _WRAPS:
        inner = text[len(begin) : len(text) - len(end)]
        wrapped = text.startswith(begin) and text.endswith(end) and inner.strip()
        if wrapped and begin not in inner and end not in inner:
            if begin == "__" and not re.search(r"\s", inner):
                continue  # `__init__` is a name
            return inner.strip()
    return text


def same_text(gold: str, answer: str) -> bool:
    """Whether two spelled texts are the same words."""
    if gold == answer:
        return True
    if gold.casefold() != answer.casefold():
        return False
    return not gold or _folds(gold, answer)


def _folds(gold: str, answer: str) -> bool:
    """Whether case says nothing in which these two differ."""
    words = _WORD.findall(gold)
    if gold.casefold() in _SAID_SO:
        return True
    if any(map(_ordinary, words)):
        return not _SIGN.search(re.sub(r"[\d/]", "", gold))
    if _SIGN.search(gold):
        return False
    others = _WORD.findall(answer)
    return len(words) == len(others) and all(map(_same_code, words, others))


def _ordinary(word: str) -> bool:
    """A word of prose or a name: its case is a way of writing."""
    if len(word) < _SHORT:
        return False
    if word.isupper():
        return len(word) > _SHORT
    if word.islower() or word.istitle():
        return True
    # `YouTube` and `McDonald` are names; `NaCl` and `getItem` are spelled so.
    return word[0].isupper() and any(
        len(part) > _SHORT for part in _PARTS.findall(word)
    )


def _same_code(gold: str, answer: str) -> bool:
    if gold == answer or len(gold) == 1:
        return True
    if gold.isupper() and len(gold) == _SHORT:
        return answer.islower()
    return gold.islower() and answer.istitle()


def has_content(gold: str) -> bool:
    """Whether there is anything in a gold besides dots, quotes and white space.

    What a response would lose, its thinking and the marks of its end, is nothing.
    """
    return bool(normalize_text(visible(gold)).strip(" .…\"'`*_$"))


def said_once(gold: str, text: str) -> bool:
    """Whether a text says a gold, takes it back nowhere, and doubles it nowhere."""
    mentioned = list(mentions(gold, text))
    once = len({sentence for sentence, _ in mentioned}) == len(mentioned)
    return bool(mentioned) and once and all(says for _, says in mentioned)


def mentions(gold: str, text: str) -> Iterator[tuple[str, bool]]:
    """Each place where a text says a gold as whole words.

    Yields:
        The sentence, and whether it says so: not where it denies the gold, asks,
        or names it as one of several.
    """
    gold = normalize_text(gold)
    if not gold:
        return
    text = unicodedata.normalize("NFC", STYLED.sub(r"\1", text))
    text = "".join(map(_plain_look, text)).translate(_SIGNS)
    shape = _shape(gold)
    for sentence in _sentences(text, gold):
        for match in shape.finditer(sentence):
            if same_text(gold, " ".join(match[0].split())):
                yield sentence, _asserts(sentence, match, gold)


def _sentences(text: str, gold: str) -> list[str]:
    if " " in gold:
        text = re.sub(r"(?<!\n)\n(?!\n)", " ", text)  # a line may break inside it
    # A gold with a full stop of its own (`St. Louis`) is looked for in the whole.
    pieces = [text] if re.search(r"[.!?。]\s", gold) else SENTENCE_BREAK.split(text)
    return [piece for piece in pieces if piece.strip()]


def _shape(gold: str) -> re.Pattern[str]:
    """The gold as whole words, whatever space stands inside."""
    inside = r"\s+".join(re.escape(part) for part in gold.split())
    inside = inside.replace(r",\s+", r"\s*,\s*")
    before = (
        ""
        if _CLOSE.match(gold[0])
        else r"(?<![\w$€£])(?<!\w[-'.^/])(?<!\s[-.])(?<!^[-.])"
    )
    after = r"(?!\w)(?!['^/-]\w)(?![.,]\d)"
    if _CLOSE.match(gold[-1]):
        after = ""
    elif gold[-1].isdigit():
        after = r"(?![\w'\"″′%°^/²³¹⁰-⁹₀-₉-])(?![.,]\d)"
    return re.compile(f"{before}{inside}{after}", re.IGNORECASE)


def _asserts(sentence: str, match: re.Match[str], gold: str) -> bool:
    before, after = sentence[: match.start()], sentence[match.end() :]
    clause = _TURN.split(before)[-1]
    if sentence.rstrip(" \"'*_)").endswith(("?", "？")):
        return False
    if _DENIED.search(clause) or _REFUSED.match(after):
        return False
    if _EITHER_BEFORE.search(before) or _EITHER_AFTER.match(after):
        return False
    # `Paris, Rome, Berlin`: who names them all has not answered.
    return "," in gold or not _BARE_LIST.fullmatch(f"{before}X{after}")
