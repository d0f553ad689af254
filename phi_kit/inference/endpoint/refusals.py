"""Requests that failed or were refused: the kinds, and when there are too many.

A prompt that is filtered, or too long for the model's context, costs its own
samples and no others. A server that refuses nearly everything is set up wrongly:
further requests would only be wasted.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TypeVar

E = TypeVar("E", bound=Exception)

MIN_REQUESTS = 16  # before so many requests a share of refusals means nothing
MAX_CHARS = 8192  # of a refusal that are searched; its reason stands in front
# A step goes on with this share of samples lost. The server will be mended, and only
# the lost ones are then asked for again.
MAX_LOST_SHARE = 0.25

# How the filters of Azure, OpenAI, Gemini, Mistral, xAI, DashScope, GLM, Moonshot,
# MiniMax, Bedrock, OpenRouter and LiteLLM name themselves.
_FILTERED = re.compile(
    r"content[ _-]?(?:filter|policy|polic|management|moderat|safety|violat|blocked)"
    r"|responsible[ _]?ai|moderat(?:ion|ed)|flagged|data_?inspection_?failed"
    r"|violat\w+ (?:of )?(?:our |the |its )?(?:usage|content|safety|polic|guideline)"
    r"|usage (?:polic|guideline)|policy_?violation|safety[ _](?:check|filter|polic|"
    r"system|setting|violation)|inappropriate content|high[ -]risk|guardrail"
    r"|sensitive[ _]?(?:content|information|words?|topics?)|new_sensitive"
    r"|prohibited_?content|block_?list|jailbreak|invalid_prompt"
    r"|(?:prompt|input|request|response|output|content) (?:was |has been |is )?"
    r"(?:filtered|blocked)|敏感|不安全|违规",
    re.IGNORECASE,
)
# How vLLM, SGLang, llama.cpp, Ollama, TGI, LM Studio, TensorRT-LLM, OpenAI, Mistral,
# Gemini, Anthropic, Cohere, Groq, xAI, Together, Cerebras and LiteLLM say it.
_TOO_LONG = re.compile(
    r"context[ _-]?(?:length|window|size|limit|overflow)|exceed_context|\bn_ctx\b"
    r"|max(?:imum)?[ _](?:prompt|input|sequence|seq|model|allowed input|num)"
    r"[ _](?:length|len|tokens)"
    r"|(?:prompt|inputs?|messages?|text|sequence|conversation|length)"
    r"(?: \([^)]*\))? (?:is |are |was )?(?:far )?too (?:long|large|many)"
    r"|too (?:long|large) (?:for|to process)|too many (?:input |prompt )?tokens"
    r"|string_above_max_length|string too long|request (?:entity )?too large"
    r"|request_too_large|payload too large|reduce the length"
    r"|(?:token count|tokens|length|prompt|input)\b[^.]{0,60}\bexceed"
    r"|exceed\w*[^.]{0,60}\b(?:tokens?|context|length|positions)"
    r"|longer than (?:the )?(?:model|max|context|allowed)|inputs`? tokens \+"
    r"|while limit is|greater than the context|input length|more than max"
    r"|must have less than \d+ tokens",
    re.IGNORECASE,
)
# Faults of all requests, to which some servers answer 400.
_ABOUT_ALL = re.compile(
    r"model_not_found|\bmodel\b.{0,80}\b(?:not found|(?:not|n't) exist|unknown)"
    r"|no such model|unknown model",
    re.IGNORECASE,
)
_ABOUT_KEY = re.compile(r"api[ _-]?key|unauthori[sz]ed|authenticat", re.IGNORECASE)
# Statuses that may be about one prompt; of the others all requests are.
_ABOUT_A_PROMPT = (400, 413, 422, 451)


def refusal_kind(status: int, words: str) -> str:
    """Why a prompt got no answer, as the `finish` of its sample.

    Args:
        status: of HTTP.
        words: the server's message, codes included.

    Returns:
        `filtered`, `too_long` or `refused`; empty where it is not the prompt's fault.
    """
    if status == 451 or (status in (400, 403, 422) and _FILTERED.search(words)):
        return "filtered"
    # llama.cpp and Ollama notice some of it in the middle and say 500.
    if status == 413 or (status in (400, 422, 500) and _TOO_LONG.search(words)):
        return "too_long"
    return "refused" if status in _ABOUT_A_PROMPT else ""


def is_about_key(words: str) -> bool:
    """Whether a refusal is about the key, as xAI and Gemini say with status 400."""
    return bool(_ABOUT_KEY.search(words))


def is_about_all_requests(words: str) -> bool:
    """Whether a refusal is about what all requests have: the key or the model."""
    return is_about_key(words) or bool(_ABOUT_ALL.search(words))


class RetryableError(Exception):
    """A failed attempt that may be repeated.

    Args:
        why: what went wrong, for a reader.
        busy: the server is overloaded: fewer requests at once.
        counts: whether it uses up one of the tries of a sample.
        wait: seconds that the server asks to wait (Retry-After).
        status: of HTTP, where the server answered.
        used: tokens in and out that a useless reply has cost.
    """

    def __init__(
        self,
        why: str,
        *,
        busy: bool = False,
        counts: bool = True,
        wait: float | None = None,
        status: int = 0,
        used: tuple[int, int] = (0, 0),
    ):
        super().__init__(why)
        self.why, self.busy, self.counts = why, busy, counts
        self.wait, self.status, self.used = wait, status, used


class RefusalError(Exception):
    """A refusal that a repeated request would not change.

    Args:
        status: of HTTP.
        text: the server's message, for a reader.
        words: the message with all codes, for `refusal_kind`.
        redirect: the URL that the server redirects to, if it does.
    """

    def __init__(self, status: int, text: str, *, words: str = "", redirect: str = ""):
        super().__init__(text)
        self.status, self.text = status, text
        self.words, self.redirect = words or text, redirect
        # Why the prompt gets no answer; empty if it is not the prompt's fault.
        self.kind = refusal_kind(status, self.words)


def without_traceback(error: E) -> E:
    """The error without the stack frames that keep its reply in memory."""
    error.__traceback__ = error.__context__ = None
    return error


@dataclass
class RequestOutcomes:
    """Counts of the samples that one endpoint was asked for, by outcome.

    Args:
        max_unanswered: share of them that may stay unanswered.
        started: requests so far.
        answered: of these.
        unanswered: refusals by kind.
        latest: the last refusal of each kind.
        doubtful: whether a refusal named a field that all requests have.
        lost: given up after all their tries.
        earlier: answered in earlier runs.
    """

    max_unanswered: float
    started: int = 0
    answered: int = 0
    unanswered: Counter[str] = field(default_factory=Counter)
    latest: dict[str, Exception] = field(default_factory=dict)
    doubtful: bool = False
    lost: int = 0
    earlier: int = 0

    def add_refusal(self, kind: str, refusal: Exception, *, doubtful: bool) -> None:
        """Count a sample that will not come."""
        self.unanswered[kind] += 1
        self.latest[kind] = refusal
        self.doubtful |= doubtful

    def should_wait(self) -> bool:
        """Whether to wait for the requests under way before sending more."""
        refused = self.unanswered.total()
        ended = self.answered + refused
        mostly = self.started >= MIN_REQUESTS and refused > self.max_unanswered * ended
        return mostly or (self.doubtful and not self.answers)

    def too_many(self, *, idle: bool) -> str:
        """The kind of refusal that makes further requests pointless; empty if none.

        Refusals come faster than answers: those under way count as answers.

        Args:
            idle: no request is under way.
        """
        refused = self.unanswered.total()
        mostly = (
            self.started >= MIN_REQUESTS
            and refused > self.max_unanswered * self.started
        )
        if mostly or (idle and self.doubtful and not self.answers):
            return self.unanswered.most_common(1)[0][0]
        return ""

    def only_refused(self) -> bool:
        """Whether all were refused, for reasons that need not be the prompts'."""
        return self.unanswered.keys() == {"refused"} and not self.answers

    def losses_tolerable(self) -> bool:
        """Whether so few were lost that the others are worth going on with."""
        came = self.answers + self.unanswered.total()
        return came > 0 and self.lost <= max(1, MAX_LOST_SHARE * (came + self.lost))

    @property
    def answers(self) -> int:
        """All samples that it has answered, in earlier runs as well."""
        return self.answered + self.earlier
