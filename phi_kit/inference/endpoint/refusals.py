"""What a server would not answer: which kind it is, and whether it is too much.

A prompt that is filtered, or too long for the model's context, costs its own
samples and no others. A server that refuses nearly everything is set up wrongly:
asking on would only burn requests.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

MIN_REQUESTS = 16  # samples that are asked before a share of refusals says anything
MAX_CHARS = 8192  # characters of a refusal; its reason stands in front
# The share of lost samples with which a step goes on. A fault of the server is
# mended sooner or later, and only what was lost is then asked again.
MAX_LOST_SHARE = 0.25

# How the filters of Azure, OpenAI, Gemini, Mistral, xAI, DashScope, GLM, Moonshot,
# MiniMax, Bedrock, OpenRouter and LiteLLM name themselves.
_FILTER = re.compile(
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
_LONG = re.compile(
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
# What is true of all requests, though some servers answer 400 to it.
_OF_ALL = re.compile(
    r"model_not_found|\bmodel\b.{0,80}\b(?:not found|(?:not|n't) exist|unknown)"
    r"|no such model|unknown model",
    re.IGNORECASE,
)
_OF_THE_KEY = re.compile(r"api[ _-]?key|unauthori[sz]ed|authenticat", re.IGNORECASE)
# Statuses that may be about one prompt; of the others all requests are.
_ABOUT_A_PROMPT = (400, 413, 422, 451)


def refusal_kind(status: int, words: str) -> str:
    """Why a prompt got no answer: the `finish` of its sample, or an empty text.

    Args:
        status: of HTTP.
        words: what the server says, codes included.

    Returns:
        `filtered`, `too_long`, `refused`; empty where it is not the prompt's fault.
    """
    if status == 451 or (status in (400, 403, 422) and _FILTER.search(words)):
        return "filtered"
    # llama.cpp and Ollama notice some of it in the middle and say 500.
    if status == 413 or (status in (400, 422, 500) and _LONG.search(words)):
        return "too_long"
    return "refused" if status in _ABOUT_A_PROMPT else ""


def is_about_key(words: str) -> bool:
    """Whether a refusal is about the key, as xAI and Gemini say with status 400."""
    return bool(_OF_THE_KEY.search(words))


def is_about_all_requests(words: str) -> bool:
    """Whether a refusal is about what all requests have: the key or the model."""
    return is_about_key(words) or bool(_OF_ALL.search(words))


@dataclass
class Outcomes:
    """What became of the samples that one endpoint was asked for.

    Args:
        most: share of them that may stay unanswered.
        started: asked so far.
        answered: of these.
        unanswered: refusals by kind.
        latest: the last refusal of each kind.
        doubtful: whether a refusal named a field that all requests have.
        lost: given up after all their tries.
        earlier: answered in earlier runs.
    """

    most: float
    started: int = 0
    answered: int = 0
    unanswered: Counter[str] = field(default_factory=Counter)
    latest: dict[str, Exception] = field(default_factory=dict)
    doubtful: bool = False
    lost: int = 0
    earlier: int = 0

    def refuse(self, kind: str, refusal: Exception, *, doubtful: bool) -> None:
        """Note a sample that will not come."""
        self.unanswered[kind] += 1
        self.latest[kind] = refusal
        self.doubtful |= doubtful

    def hold(self) -> bool:
        """Whether to wait for what is under way before anything more is asked."""
        refused = self.unanswered.total()
        known = self.answered + refused
        mostly = self.started >= MIN_REQUESTS and refused > self.most * known
        return mostly or (self.doubtful and not self.answers)

    def too_many(self, *, idle: bool) -> str:
        """The kind of refusal that makes it pointless to ask on, or an empty text.

        Refusals come faster than answers: those under way count as answers.

        Args:
            idle: nothing is under way.
        """
        refused = self.unanswered.total()
        mostly = self.started >= MIN_REQUESTS and refused > self.most * self.started
        if mostly or (idle and self.doubtful and not self.answers):
            return self.unanswered.most_common(1)[0][0]
        return ""

    def nothing_else(self) -> bool:
        """Whether all were refused, for reasons that need not be the prompts'."""
        return self.unanswered.keys() == {"refused"} and not self.answers

    def bearable(self) -> bool:
        """Whether so few were lost that the others are worth going on with."""
        came = self.answers + self.unanswered.total()
        return came > 0 and self.lost <= max(1, MAX_LOST_SHARE * (came + self.lost))

    @property
    def answers(self) -> int:
        """All that it has answered, in earlier runs as well."""
        return self.answered + self.earlier
