"""A column that holds a chat: who asked what, and what was answered.

Two ways to write a turn are common: `{"role": "user", "content": ...}`, as chat
templates read it (the content may be a list of parts), and ShareGPT's
`{"from": "human", "value": ...}`. A list of plain texts takes turns, the user first
(UltraChat's own files).
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from phi_kit.core import thinking

from .cell_text import NotTextError, to_text

_SPEAKERS = ("role", "from")
_TEXTS = ("content", "value", "text")
# Where a reply keeps its thought apart from its text.
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
_USERS = {"user", "human", "prompter"}
_ASSISTANTS = {"assistant", "gpt", "chatgpt", "bing", "bard", "model", "bot"}
_SYSTEMS = {"system", "developer"}
_NO_LIST = "the chat is no list of turns"
_SHOWN = 12  # turns that a detail lists


class ChatError(ValueError):
    """A chat that is no question with its answer.

    Attributes:
        reason: what it is, for a count.
        detail: the particulars.
    """

    def __init__(self, reason: str, detail: str = ""):
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


class Round(NamedTuple):
    """A question and the reply to it."""

    question: str
    reply: str


def read_chat(value: object) -> Round:
    """The one question of a chat and its reply; what follows the reply is left out.

    System turns are left out. A chat of several rounds has no such question: the
    last one may mean nothing without the rounds before it.

    Raises:
        ChatError: it is no chat, has several rounds, or none that is complete.
    """
    turns = [(who, text) for who, text in map(_turn, _turns(value)) if who]
    speakers = [who for who, _ in turns]
    if "assistant" not in speakers:
        raise ChatError("a chat without a reply", _listed(speakers))
    while speakers[-1] != "assistant":
        speakers.pop()  # asked after it, and never answered
    if speakers == ["user", "assistant"]:
        return Round(turns[0][1], turns[1][1])
    if "user" not in speakers:
        raise ChatError("a chat without a question", _listed(speakers))
    raise ChatError("a chat of several rounds", _listed(speakers))


def _listed(speakers: Sequence[str]) -> str:
    return f"turns: {', '.join(speakers[:_SHOWN]) or 'none'}"


def _turns(value: object) -> list[Mapping[str, Any]]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise ChatError(_NO_LIST, "text that is not JSON") from None
    if isinstance(value, Mapping):
        value = _rows_of(value)
    if not isinstance(value, list | tuple):
        raise ChatError(_NO_LIST, _kind(value))
    if value and all(isinstance(turn, str) for turn in value):
        names = itertools.cycle(("user", "assistant"))
        return [
            {"role": name, "content": turn}
            for name, turn in zip(names, value, strict=False)
        ]
    for turn in value:
        if not isinstance(turn, Mapping):
            raise ChatError("a turn of the chat is not a mapping", _kind(turn))
    return list(value)


def _rows_of(columns: Mapping[str, Any]) -> object:
    """`{"role": [...], "content": [...]}`, as some tables keep a list of turns."""
    lists = {key: cell for key, cell in columns.items() if isinstance(cell, list)}
    if not any(key in lists for key in _SPEAKERS):
        return columns
    size = max(map(len, lists.values()))
    even = {key: cell for key, cell in lists.items() if len(cell) == size}
    return [{key: cell[i] for key, cell in even.items()} for i in range(size)]


def _turn(turn: Mapping[str, Any]) -> tuple[str, str]:
    """Who speaks, and what is said; nobody where it is a system turn."""
    speaker = next((turn[key] for key in _SPEAKERS if turn.get(key)), None)
    name = str(speaker).strip().casefold()
    if speaker is None:
        keys = ", ".join(map(str, turn)) or "none"
        raise ChatError("a turn of the chat names no speaker", f"its keys: {keys}")
    if name in _SYSTEMS:
        return "", ""
    if turn.get("tool_calls") or turn.get("function_call"):
        raise ChatError("a chat that calls tools", name)
    if name not in _USERS | _ASSISTANTS:
        raise ChatError("a turn of an unknown speaker", name[:80])
    text = _text(next((turn[key] for key in _TEXTS if key in turn), None))
    if name in _USERS:
        return "user", text
    thought = next((turn[key] for key in _THOUGHTS if turn.get(key)), None)
    if thought and not thinking.written(text):
        text = thinking.wrapped(_text(thought), text)
    return "assistant", text


def _text(content: object) -> str:
    """What a turn says; its parts one below the other."""
    parts = content if isinstance(content, list | tuple) else [content]
    return "\n".join(filter(None, map(_part, parts)))


def _part(part: object) -> str:
    if isinstance(part, Mapping):
        kind = str(part.get("type", "text"))
        if not isinstance(part.get("text"), str):
            raise ChatError("a turn of the chat is not text", kind[:80])
        part = part["text"]
    try:
        return to_text(part)
    except NotTextError as error:
        raise ChatError("a turn of the chat is not text", str(error)) from None


def _kind(value: object) -> str:
    if value is None:
        return "it is missing"
    try:
        return f"it is '{to_text(value)[:40]}'"
    except NotTextError as error:
        return f"it is {error}"
