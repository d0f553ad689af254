"""Read the replies of OpenAI-compatible servers, and trust nothing in them.

Servers differ in nearly everything: where the thinking stands, whether a text comes
in parts, what they call a truncated sample, whether they count tokens. Every reply
that can be read as a sample is one. A reply that cannot (no JSON, no choice, no text)
is a `RetryableError`: it is asked for again. A reply of another model is an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from phi_kit.core import thinking
from phi_kit.core.endpoint_url import EndpointAddress
from phi_kit.core.errors import ModelError
from phi_kit.inference.types import Completion

from .redaction import clean_message, redact
from .refusals import MAX_CHARS, RetryableError, refusal_kind

BYTES_PER_TOKEN = 4  # of English text, roughly, where a server does not count
_MAX_TOKENS = 2**31 - 1  # of a plausible count
_SPARE_CHARS, _CHARS_PER_TOKEN = 2**16, 512  # of a text, at most
_OF_THE_PROMPT = ("filtered", "too_long")  # refusals that come with status 200, too

# Why a sample ended, as servers spell it, letters only: OpenAI, vLLM, SGLang,
# llama.cpp, Ollama, TGI, LiteLLM, Mistral, Gemini, Anthropic, Cohere, Bedrock, GLM,
# DeepSeek, OpenRouter. What is none of these is a normal end.
_BROKEN = re.compile(
    r"error|abort|cancel|timeout|networkerror|insufficient|malformed|overload|failed"
    r"|preempt|ratelimit|^(?:other|unspecified|load|unload|unknown|interrupted)$"
)
_LENGTH = re.compile(
    r"length|^max|tokenlimit|outputlimit|^limit$|errorlimit|truncat|incomplete"
    r"|contextwindow|contextlimit|contextsize|outoftokens|compaction|cutoff"
)
_FILTERED = re.compile(
    r"filter|safety|recitation|blocklist|prohibited|spii|sensitive|guardrail|moderat"
    r"|flagged|blocked|refusal|toxic|language|policy|violation|modelarmor|escalation"
)
# Where filters say what they found: Azure, OpenRouter, LiteLLM, Gemini.
_MORE_CODES = ("innererror", "metadata", "provider_specific_fields", "details")


class EndpointReply(NamedTuple):
    """A sample, and the prompt tokens that were paid for with it.

    `counted` says whether the server counted the tokens, or they are estimated.
    """

    sample: Completion
    prompt_tokens: int
    counted: bool = True


class ErrorBody(NamedTuple):
    """The message and the codes in an error's body."""

    words: str
    codes: str


@dataclass(frozen=True)
class ReplyReader:
    """Reads the replies to one kind of request.

    Args:
        address: names the model that has to answer.
        max_tokens: of a sample.
        needs_usage: whether a reply without a count of tokens is an error, because
            a budget would not hold.
        key: the API key, which is removed from all texts of the server.
    """

    address: EndpointAddress
    max_tokens: int
    needs_usage: bool = False
    key: str = ""

    def read(self, body: bytes) -> EndpointReply:
        """The sample in a reply's body.

        Raises:
            RetryableError: it is of no use.
            ModelError: another model answered.
        """
        try:
            reply = parse_json(body)
        except ValueError as error:
            raise RetryableError(f"a garbled reply ({self._clean(error)})") from None
        if not isinstance(reply, dict):
            raise RetryableError("a garbled reply (it is no JSON object)")
        self._same_model(reply.get("model"))
        prompt_tokens, tokens = _usage(reply)
        choice = _first(reply.get("choices"))
        if choice is None:
            return self._without_choice(reply, prompt_tokens, tokens)
        return self._sample(choice, prompt_tokens, tokens)

    def _sample(
        self, choice: Mapping[str, Any], prompt_tokens: int | None, tokens: int | None
    ) -> EndpointReply:
        used = (prompt_tokens or 0, tokens or 0)
        endings = map(choice.get, ("finish_reason", "stop_reason", "done_reason"))
        named = next(filter(None, endings), None)
        finish, text = _finish(named), self._text(_message(choice))
        if finish == "broken" and choice.get("error"):  # OpenRouter hands it on so
            why = _refusal(choice)
            finish = why if why in _OF_THE_PROMPT else finish
        if text is None and (finish not in ("stop", "broken") or tokens in (0, 1)):
            text = ""  # an empty answer, or the turn was ended at once
        if text is None or finish == "broken":
            ended = f" (it ended by '{self._clean(named)}')"
            raise RetryableError(f"a reply without a text{ended}", used=used)
        longest = _SPARE_CHARS + _CHARS_PER_TOKEN * self.max_tokens
        if len(text) > longest:
            what = f"a text of {len(text):,} characters for {self.max_tokens} tokens"
            raise RetryableError(what, used=used)
        if not tokens and text:
            tokens = None  # a text cannot have 0 tokens
        counted = tokens is not None
        if not counted and self.needs_usage:
            raise RetryableError("a reply that does not say how many tokens it has")
        if not named and counted and tokens >= self.max_tokens:
            finish = "length"
        if not counted:
            tokens = -(-len(text.encode()) // BYTES_PER_TOKEN)
            tokens = self.max_tokens if finish == "length" else tokens
        logprob = _logprob(choice.get("logprobs"))
        sample = Completion(text, tokens, finish, logprob)
        return EndpointReply(sample, prompt_tokens or 0, counted)

    def _without_choice(
        self, reply: Mapping[str, Any], prompt_tokens: int | None, tokens: int | None
    ) -> EndpointReply:
        """A refused prompt that came with status 200, or a useless reply."""
        error = _error_in(reply)
        feedback = reply.get("promptFeedback") or reply.get("prompt_feedback")
        why = "filtered" if feedback else _refusal(reply)
        if why in _OF_THE_PROMPT:
            return EndpointReply(Completion("", tokens or 0, why), prompt_tokens or 0)
        has_message = any(reply.get(name) for name in ("error", "message", "detail"))
        words = f" ({self._clean(error.words)})" if has_message else ""
        raise RetryableError(
            f"a reply without a choice{words}",
            busy="429" in error.codes,
            used=(prompt_tokens or 0, tokens or 0),
        )

    def _text(self, message: Mapping[str, Any]) -> str | None:
        text = _text(message)
        if text is None:
            return None
        # Surrogates, and the null character that PostgreSQL refuses.
        return redact(re.sub("[\ud800-\udfff\0]", "\ufffd", text), self.key)

    def _clean(self, text: object) -> str:
        return clean_message(text, secret=self.key)

    def _same_model(self, replied: Any) -> None:
        asked = self.address.model
        if not isinstance(replied, str) or not replied or same_model(replied, asked):
            return
        other = self._clean(replied)
        raise ModelError(
            f"'{other}' answered, not '{asked}'",
            where=str(self.address),
            todo=f"if that is the model you mean, write {self.address.url}#{other}; "
            "else look at what the server serves",
        )


def parse_json(body: bytes) -> Any:
    """A body's JSON, read more leniently than the standard.

    Invalid bytes, surrogates and line breaks inside a text are accepted; so are
    numbers of any length.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    text = body.decode(json.detect_encoding(body), errors="replace")
    try:
        return json.loads(text, strict=False, parse_int=_integer)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _integer(digits: str) -> float:
    return int(digits) if len(digits) < 30 else float("inf")


def error_body(body: bytes) -> ErrorBody:
    """The message and codes of an error's body, wherever they stand."""
    try:
        return _error_in(parse_json(body))
    except ValueError:
        return ErrorBody(body.decode(errors="replace"), "")


def _error_in(reply: Any) -> ErrorBody:
    reply = reply[0] if isinstance(reply, list) and reply else reply
    if not isinstance(reply, dict):
        return ErrorBody(_plain(reply), "")
    inner = reply.get("error")
    inner = inner if isinstance(inner, dict) else reply
    words = inner.get("message") or inner.get("detail") or inner.get("error")
    codes = map(inner.get, ("code", "type", "status", *_MORE_CODES))
    return ErrorBody(_detail(words or reply), " ".join(_plain(c) for c in codes if c))


def _refusal(reply: Any) -> str:
    """The kind of refusal that an error within a reply is."""
    words, codes = _error_in(reply)
    return refusal_kind(400, f"{codes} {words}"[:MAX_CHARS])


def _detail(words: Any) -> str:
    """A message as it is, or FastAPI's list of faults without the request."""
    if isinstance(words, list) and all(isinstance(each, dict) for each in words):
        lines = (f"{_plain(o.get('loc'))}: {_plain(o.get('msg'))}" for o in words)
        return "; ".join(lines)
    return _plain(words)


def _plain(value: Any) -> str:
    try:
        return value if isinstance(value, str) else json.dumps(value)
    except RecursionError:
        return "…"


def same_model(replied: str, asked: str) -> bool:
    """Whether a reply's model is the one asked for, up to its revision.

    `m@main` (transformers), `m:latest` (Ollama), `m-2025-01-31` (hosted).
    """
    if replied == asked:
        return True
    rest = replied.removeprefix(asked)
    return rest != replied and bool(re.fullmatch(r"[@:].*|-\d{3}[\d-]*", rest))


# --- its finish ----------------------------------------------------------------


def _finish(named: Any) -> str:
    """`stop`, `length`, `filtered`, or `broken` for what is no answer."""
    if isinstance(named, dict):  # SGLang's own: {"type": "length", "length": 16}
        named = named.get("type") or named.get("reason")
    letters = _letters(str(named or "")).removeprefix("finishreason")
    if _FILTERED.search(letters):
        return "filtered"
    if _LENGTH.search(letters):
        return "length"
    return "broken" if _BROKEN.search(letters) else "stop"


def _letters(text: str) -> str:
    return re.sub("[^a-z]", "", text.lower())


# --- its text ----------------------------------------------------------------

# Where a server puts the thinking that it takes out of the text.
_THOUGHTS = (
    "reasoning_content",
    "reasoning",
    "thinking",
    "reasoning_text",
    "reasoning_details",
    "thinking_blocks",
)
_MAX_DEPTH = 8  # parts within parts


def _first(choices: Any) -> dict[str, Any] | None:
    choice = choices[0] if isinstance(choices, list) and choices else None
    return choice if isinstance(choice, dict) else None


def _message(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message, or the part of the choice that replaces it."""
    for name in ("message", "delta"):
        if isinstance(choice.get(name), dict):
            return choice[name]
    return {"content": choice.get("message") or choice.get("text")}


def _text(message: Mapping[str, Any]) -> str | None:
    """The whole text; thinking stands in front, as a local model writes it."""
    content = message.get("content")
    has_text = content is not None and not isinstance(content, bool)
    parts = list(_parts(content))
    text = "".join(part for part, thought in parts if not thought)
    inside = "".join(part for part, thought in parts if thought)
    if not text and isinstance(message.get("refusal"), str):
        text, has_text = message["refusal"], True
    if not text and (calls := _calls(message)):
        text, has_text = calls, True
    beside = (_joined(message.get(name)) for name in _THOUGHTS)
    thought = inside or next(filter(None, beside), "")
    if not has_text and not thought:
        return None
    if not thought.strip() or _repeats(text, thought):
        return text.strip()
    return thinking.wrapped(
        thought, text if has_text and (text or not inside) else None
    )


def _repeats(text: str, thought: str) -> bool:
    """Whether a text already begins with the thought."""
    bare = re.match(r"\s*[<\[]/?\w*think\w*[>\]]", text, re.IGNORECASE)
    if bare:
        return True
    head, closing, _ = text.partition("</think>")
    return bool(closing) and head.split() == thought.split()


def _joined(value: Any) -> str:
    return "".join(part for part, _ in _parts(value))


def _parts(value: Any, *, thought: bool = False, depth: int = 0) -> Iterator:
    """The pieces of a content and whether each is thinking.

    A text; a list of texts or parts; a part with its text under a name of its own,
    perhaps as parts again: Mistral's thinking, OpenAI's summaries.
    """
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value), thought
    elif isinstance(value, list) and depth < _MAX_DEPTH:
        for part in value:
            yield from _parts(part, thought=thought, depth=depth + 1)
    elif isinstance(value, dict) and depth < _MAX_DEPTH:
        named = str(value.get("type", ""))
        thought = thought or "think" in named or "reason" in named
        for name in ("text", "thinking", "reasoning", "content", "summary", "refusal"):
            if value.get(name):
                inner = value[name]
                break
        else:
            inner = value.get("value")
        thinks = thought or name in ("thinking", "reasoning")
        yield from _parts(inner, thought=thinks, depth=depth + 1)


def _calls(message: Mapping[str, Any]) -> str:
    """Calls of tools that were not offered, as the model wrote them."""
    calls = message.get("tool_calls") or [{"function": message.get("function_call")}]
    texts = []
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            texts.append(f"<tool_call>\n{_plain(function)}\n</tool_call>")
    return "\n".join(texts)


# --- its tokens ----------------------------------------------------------------


def _usage(reply: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Tokens in and out, as far as they are given and plausible."""
    usage = reply.get("usage")
    if not isinstance(usage, dict):
        return None, None
    tokens_in = _count(usage, "prompt_tokens", "input_tokens")
    tokens_out = _count(usage, "completion_tokens", "output_tokens")
    total = _count(usage, "total_tokens")
    if total is not None and tokens_out is None and tokens_in is not None:
        tokens_out = total - tokens_in if total >= tokens_in else None
    if total is not None and tokens_in is None and tokens_out is not None:
        tokens_in = max(total - tokens_out, 0)
    return tokens_in, tokens_out


def _count(usage: Mapping[str, Any], *names: str) -> int | None:
    value = next((usage[name] for name in names if usage.get(name) is not None), None)
    if isinstance(value, str) and re.fullmatch(r"\d{1,10}", value, re.ASCII):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= _MAX_TOKENS and value == value // 1 else None


def _logprob(logprobs: Any) -> float | None:
    """Mean log-probability of the tokens, where the server gave them."""
    try:
        each = [float(token["logprob"]) for token in logprobs["content"]]
        mean = sum(each) / len(each)
    except (TypeError, KeyError, ValueError, ZeroDivisionError):
        return None
    return mean if abs(mean) < float("inf") else None
