"""A model's thinking: the tags it stands between, and the response without it.

Everything that has to know the tags asks here: verifiers (an answer in a
thought is none), chat templates, the gate before training, replies of a server.
The tags are those that vLLM, SGLang and llama.cpp know, and what prompts ask for;
a study names a further pair with `thinking_tags`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Literal, NamedTuple

# What a thought is wrapped in where a server hands it over apart from the answer.
OPEN, CLOSE = "<think>", "</think>"

# `<seed:think>`, `<longcat_think>`, `<think:opensource>`, `<Thought>`, `<reasoning>`.
_NAME = (
    r"(?:(?:\w{1,20}[:_-])?(?:think|thinking|thoughts?|reasoning)(?::\w{1,20})?|"
    r"reason|thought_process|reflect|reflection|scratch_?pad|analysis|rationale|"
    r"deliberation|(?:inner_)?monologue|cot|chain_of_thought)"
)
_ATTRIBUTES = r"""(?:\s+[\w:-]+\s*=\s*(?:"[^"<>]*"|'[^'<>]*'|[^\s<>"']+))*\s*"""
_TAGS = (
    (rf"<({_NAME}){_ATTRIBUTES}>", rf"<\s?/\s?({_NAME})\s*>"),
    (r"\[((?:THINK|THINKING|REASONING))\]", r"\[/(THINK|THINKING|REASONING)\]"),
    (r"◁(think)▷", r"◁/(think)▷"),
    (r"<\|(think|thinking|thought)\|>", r"<\|/(think|thinking|thought)\|>"),
    (
        r"<\|(?:begin|start)(?:_of)?_(think|thinking|thought|reasoning)\|>",
        r"<\|end(?:_of)?_(think|thinking|thought|reasoning)\|>",
    ),
    (r"<\|(inner)_prefix\|>", r"<\|(inner)_suffix\|>"),  # Apertus
    (r"\[(unused)16\]", r"\[(unused)17\]"),  # openPangu
    # A channel of harmony (gpt-oss) or of Gemma; a new one ends the one before.
    (
        r"(?:<\|start\|>assistant)?<\|(channel)\|?>\s*(?:analysis|commentary|thought|thinking)\b"
        r"(?:[^<\n]{0,80}(?:<\|constrain\|>[^<\n]{0,80})?<\|message\|>)?",
        r"<(channel)\|>",
    ),
)
# The parts of an opening tag: `<`, `think`, `>`; `<|`, `begin_of_`, `thought`, `|>`.
_OPENING = re.compile(
    r"([<\[◁]\|?)((?:begin|start|BEGIN|START)(?:_of|_OF)?_)?([^\s|>\]▷]+)[^|>\]▷]*(\|?[>\]▷])\Z"
)
_CLOSED_BY = {
    "<|inner_prefix|>": "<|inner_suffix|>",
    "[unused16]": "[unused17]",
    "<|channel>thought": "<channel|>",
}
_END = r"<\|(?:end|call)\|>"  # of a channel; elsewhere of the whole turn
# From here on stands the answer, whatever was open.
_FINAL = (
    r"(?:<\|start\|>assistant)?<\|channel\|?>\s*final\b(?:[^<\n]{0,80}<\|message\|>)?"
    r"|<\|(?:begin|start)_of_(?:solution|answer)\|>|<\|START_RESPONSE\|>"
    r"|\[BEGIN FINAL RESPONSE\]"
)
# The same where the tokenizer has hidden its special tokens: `analysisWe need …`,
# `assistantfinal`; and Granite's two sentences.
_BARE = re.compile(
    r"\A\s*(?:analysis(?=[A-Z0-9\\$]).*?(?P<harmony>assistantfinal|\Z)"
    r"|Here(?:'s| is) my thought process:.*?(?P<granite>Here(?:'s| is) my response:))",
    re.DOTALL,
)
# Signs of an ended turn that a server left in the text.
_ENDED = re.compile(
    r"(?:(?:<\|(?:end|return|im_end|eot_id|eom_id|endoftext|end_of_text|"
    r"END_RESPONSE|END_OF_TURN_TOKEN|end_of_solution|end_of_answer)\|>|</s>|<eos>|"
    r"<end_of_turn>|<turn\|>|<｜end▁of▁sentence｜>|\[END FINAL RESPONSE\])\s*)+\Z",
    re.IGNORECASE,
)
# What some models put around the answer after a thought.
_WRAPPED = re.compile(r"(?is)\A<(response|output|solution|final)>(.*?)(?:</\1>)?\s*\Z")
_FENCE = re.compile(r"^(```+|~~~+)[^\n`]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
# How every tag begins: sooner told than searched. `<<3 + 4 = 7>>` is none.
_BEGINS = re.compile(r"[<\[◁]\s?[^\d\s<]")
_QUOTES = "`'\"’”»"

Kind = Literal["open", "close", "final", "end"]


class Tag(NamedTuple):
    """One tag of a text.

    Attributes:
        kind: whether it opens or closes a thought, begins the answer, or ends a
            channel.
        pair: which closing tag fits: `think`, `reason`, `channel`, …
        begin: where it stands.
        end: where it ends.
        fenced: whether it stands in a fenced block, as a program's text may.
    """

    kind: Kind
    pair: str
    begin: int
    end: int
    fenced: bool


_own: tuple[str, str] | None = None


@contextmanager
def also(pair: tuple[str, str] | None) -> Iterator[None]:
    """Inside the block this pair of tags, too, stands around a thought.

    Args:
        pair: the opening and the closing tag, or `None` for no further pair.
    """
    global _own
    before, _own = _own, pair
    try:
        yield
    finally:
        _own = before


def _pattern() -> re.Pattern[str]:
    return _compiled(_own)


@lru_cache(maxsize=8)
def _compiled(own: tuple[str, str] | None) -> re.Pattern[str]:
    opens = [f"(?:{open_})" for open_, _ in _TAGS]
    closes = [f"(?:{close})" for _, close in _TAGS]
    if own:
        opens.insert(0, f"({re.escape(own[0])})")
        closes.insert(0, f"({re.escape(own[1])})")
    kinds = {"final": [_FINAL], "end": [_END], "open": opens, "close": closes}
    named = (f"(?P<{kind}>{'|'.join(forms)})" for kind, forms in kinds.items())
    return re.compile("|".join(named), re.IGNORECASE)


def _pair(match: re.Match[str]) -> str:
    if _own and match[0].casefold() in map(str.casefold, _own):
        return "own"
    named = match.re.groupindex.values()
    inner = (g for i, g in enumerate(match.groups(), 1) if g and i not in named)
    name = next(inner, "channel").casefold()
    # `<think>` may end with `</thinking>`.
    families = (("think", "think"), ("thought", "think"), ("reason", "reason"))
    return next((family for part, family in families if part in name), name)


def _quoted(text: str, match: re.Match[str]) -> bool:
    """Whether a tag stands in quotation marks of its own: "`</think>` ends it"."""
    before, after = text[: match.start()][-1:], text[match.end() :][:1]
    return bool(before and after) and before in "`'\"‘“«" and after in "`'\"’”»"


def tags(text: str) -> list[Tag]:
    """The tags of a text, in order, without those that are only quoted."""
    if not (_BEGINS.search(text) or _own):
        return []
    found = [m for m in _pattern().finditer(text) if not _quoted(text, m)]
    fences = [
        block.span(2)
        for block in (_FENCE.finditer(text) if found and "\n" in text else ())
        if not _pattern().match(block[2].lstrip())  # a whole reply in a fence
    ]
    return [
        Tag(
            match.lastgroup,  # type: ignore[arg-type]
            _pair(match),
            *match.span(),
            any(low <= match.start() < high for low, high in fences),
        )
        for match in found
    ]


def visible(response: str) -> str:
    """The response without its thinking; answers in there do not count.

    A thought that never closes hides the rest. A closing tag alone (the chat
    template opened the thought) hides all that stands before it.
    """
    text = response.strip()
    if text.endswith((">", "]")):
        text = _ENDED.sub("", text).rstrip()
    if bare := _BARE.match(text):
        return text[bare.end() :].strip()
    kept: list[str] = []
    open_: list[str] = []
    begin = 0
    for tag in tags(text):
        if tag.fenced and (not open_ or tag.kind == "open"):
            continue  # a program may well split a text at `</think>`
        if not open_:
            kept.append(text[begin : tag.begin])
        _step(tag, open_, kept)
        begin = tag.end
    if not begin:
        return text.strip()
    shown = "".join(kept if open_ else [*kept, text[begin:]]).strip()
    wrapped = _WRAPPED.match(shown)
    return wrapped[2].strip() if wrapped else shown


def _step(tag: Tag, open_: list[str], kept: list[str]) -> None:
    """What a tag does to the thoughts that are open and to what was kept."""
    if tag.kind == "open":
        if tag.pair == "channel" and tag.pair in open_:
            del open_[open_.index(tag.pair) :]  # one channel after the other
        open_.append(tag.pair)
    elif tag.kind == "final":
        open_.clear()
        kept.clear()
    elif tag.kind == "end":
        if "channel" in open_:
            del open_[open_.index("channel") :]
    elif tag.pair in open_:
        last = len(open_) - 1 - open_[::-1].index(tag.pair)
        del open_[last:]
    elif not open_:
        kept.clear()


def wrapped(thought: str, answer: str | None) -> str:
    """A thought and its answer as one response; without an answer it stays open."""
    closed = "" if answer is None else f"\n{CLOSE}\n\n{answer}"
    return f"{OPEN}\n{thought.strip()}{closed}".strip()


def opened_by(prompt: str) -> str:
    """The tag at a prompt's end that opens the model's thought, or an empty text."""
    found = tags(prompt)[-1:]
    if found and found[0].kind == "open" and not prompt[found[0].end :].strip():
        return prompt[found[0].begin : found[0].end]
    return ""


def before_last(prompt: str) -> str:
    """A prompt without the open or the empty thought that it ends with, if it does."""
    found = tags(prompt)[-2:]
    if found and found[-1].kind == "open":
        found = found[-1:]
    elif [tag.kind for tag in found] != ["open", "close"]:
        return prompt
    return (
        prompt
        if without_tags(prompt[found[0].begin :]).strip()
        else prompt[: found[0].begin]
    )


def closing(tag: str) -> str:
    """The tag that ends the thought which this one opens."""
    if _own and tag.casefold() == _own[0].casefold():
        return _own[1]
    if tag in _CLOSED_BY:
        return _CLOSED_BY[tag]
    parts = _OPENING.match(tag)
    if not parts:
        return CLOSE
    before, begin, name, after = parts.groups()
    end = re.sub("begin|start", "end", begin) if begin else "/"
    end = re.sub("BEGIN|START", "END", end)
    return f"{before}{end}{name}{after}"


def led_by(text: str) -> tuple[str, str] | None:
    """The closed thought that a text begins with and what follows it, if any."""
    found = tags(text)
    if not found or found[0].kind != "open" or text[: found[0].begin].strip():
        return None
    first = found[0]
    ends = (t for t in found[1:] if t.kind == "close" and t.pair == first.pair)
    end = next(ends, None)
    return end and (text[first.end : end.begin], text[end.end :])


def without_tags(text: str) -> str:
    """A text without the tags that open or close a thought; what they hold stays."""
    for tag in reversed(tags(text)):
        if tag.kind in ("open", "close"):
            text = text[: tag.begin] + text[tag.end :]
    return text


def written(text: str) -> list[str]:
    """The tags that open or close a thought, as they stand in a text."""
    found = (tag for tag in tags(text) if tag.kind in ("open", "close"))
    return [text[tag.begin : tag.end] for tag in found]


def answered(text: str) -> str:
    """What follows the last closing tag of a text, or all of it."""
    closing = [tag for tag in tags(text) if tag.kind in ("close", "final")]
    return text[closing[-1].end :] if closing else text


def unpaired(text: str) -> str:
    """The first tag that opens twice, closes nothing or stays open; else empty."""
    open_: list[Tag] = []
    for tag in tags(text):
        if tag.fenced and (not open_ or tag.kind == "open"):
            continue
        pairs = [other.pair for other in open_]
        if tag.kind == "final" or (tag.kind == "end" and "channel" in pairs):
            open_.clear()
        elif tag.kind == "close" and pairs[-1:] == [tag.pair]:
            open_.pop()
        elif tag.kind == "close" or (tag.kind == "open" and tag.pair in pairs):
            return text[tag.begin : tag.end]
        elif tag.kind == "open":
            open_.append(tag)
    return text[open_[0].begin : open_[0].end] if open_ else ""
