"""Replies of an OpenAI-compatible server, read with suspicion.

A reply that cannot be used (no JSON, no choice, no text, no count of tokens)
is a `FaultError`: it is asked for again. A reply of another model is an error.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from phi_kit.core import thinking
from phi_kit.core.address import Address
from phi_kit.core.errors import ModelError

from .sampling import Sample
from .throttle import FaultError

LONGEST = 500  # characters of a server's words in an error
# As servers spell "it ran into the limit" and "this is no answer".
_LENGTH = ("length", "max_tokens", "max_length")
_BROKEN = ("error", "abort", "aborted", "content_filter")


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None
    # Where a server takes the thinking out of the text; the names vary.
    reasoning_content: str | None = None
    reasoning: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None
    logprobs: Any = None


class _Usage(BaseModel):
    prompt_tokens: int = Field(0, ge=0)
    completion_tokens: int = Field(ge=0)


class _Reply(BaseModel):
    choices: list[_Choice] = []
    model: str | None = None
    usage: _Usage | None = None


class Answer(NamedTuple):
    """A sample, and the prompt tokens that were paid for with it."""

    sample: Sample
    prompt_tokens: int


def said(text: object, *, secret: str = "") -> str:
    """A server's words on one line, short, and without the key it may repeat."""
    line = " ".join(str(text).split())
    if secret:
        line = line.replace(secret, "***")
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"


def read(body: bytes, address: Address) -> Answer:
    """The sample in a reply's body.

    Raises:
        FaultError: it is of no use.
        ModelError: another model answered.
    """
    try:
        reply = _Reply.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        what = f"{where}: {first['msg']}" if where else first["msg"]
        raise FaultError(f"a garbled reply ({said(what)})") from None
    if reply.model and not same_model(reply.model, address.model):
        raise ModelError(
            f"'{said(reply.model)}' answered, not '{address.model}'",
            where=str(address),
            todo=f"if that is the model you mean, write {address.url}#"
            f"{said(reply.model)}; else look at what the server serves",
        )
    usage = reply.usage
    used = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
    if not reply.choices:
        failure = re.search(rb'"message"\s*:\s*"([^"]*)"', body)
        words = f" ({said(failure[1].decode(errors='replace'))})" if failure else ""
        raise FaultError(f"a reply without a choice{words}", used=used)
    choice = reply.choices[0]
    text = _text(choice.message)
    if text is None or choice.finish_reason in _BROKEN:
        ended = f" (it ended by '{said(choice.finish_reason)}')"
        raise FaultError(f"a reply without a text{ended}", used=used)
    if usage is None:
        raise FaultError("a reply that does not say how many tokens it has")
    finish = "length" if choice.finish_reason in _LENGTH else "stop"
    sample = Sample(text, usage.completion_tokens, finish, _logprob(choice.logprobs))
    return Answer(sample, usage.prompt_tokens)


def same_model(replied: str, asked: str) -> bool:
    """Whether a reply's model is the one asked for, up to its revision.

    `m@main` (transformers), `m:latest` (Ollama), `m-2025-01-31` (hosted).
    """
    if replied == asked:
        return True
    rest = replied.removeprefix(asked)
    return rest != replied and bool(re.fullmatch(r"[@:].*|-\d{3}[\d-]*", rest))


def _text(message: _Message) -> str | None:
    """All that was said; thinking stands in front, as a local model writes it."""
    thought = message.reasoning_content or message.reasoning
    text = message.content if message.content is not None else message.refusal
    if thought is None:
        return None if text is None else text.strip()
    return thinking.wrapped(thought, text)


def _logprob(found: Any) -> float | None:
    """Mean log-probability of the tokens, where the server gave them."""
    try:
        each = [float(token["logprob"]) for token in found["content"]]
    except (TypeError, KeyError, ValueError):
        return None
    return sum(each) / len(each) if each else None
