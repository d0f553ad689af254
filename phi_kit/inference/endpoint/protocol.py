"""One request to an OpenAI-compatible server, in the words that server knows."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from phi_kit.core.endpoint_url import EndpointAddress
from phi_kit.core.errors import ModelError
from phi_kit.inference.types import SamplingParams

from .api_keys import OWN, why_withheld
from .http_client import HttpClient, RedirectError, Response
from .redaction import redact
from .refusals import MAX_CHARS, is_about_key, refusal_kind
from .replies import error_body, parse_json
from .throttle import RetryableError, retry_after

_LATER = (408, 409, 425)  # together with every 5xx: worth asking again
_BUSY = (429, 503, 529)  # 529 is an overloaded Anthropic
_SEED_BITS = 31  # what every server's seed can hold
_CAN_GO = ("seed", "top_p", "top_k", "min_p", "generation_config", "logprobs")
# What a list of models says of one, and says again as long as it is that one.
_REPORTED = ("root", "parent")
_REPORTED_META = ("n_params", "size", "n_vocab", "n_embd", "n_ctx_train")
# Bytes of a reply. A token has a few characters and seldom more than a hundred, JSON
# may write each of them as six, and some servers repeat the prompt or the thinking.
_BESIDE_THE_TEXT, _OF_A_TOKEN, _OF_A_LOGPROB = 2**18, 512, 1536
_OF_A_LIST = 4 * 2**20


class RefusalError(Exception):
    """A status that asking again would not change.

    Args:
        status: of HTTP.
        text: what the server said, for a reader.
        words: all of it that is looked at.
        elsewhere: where it sends us, if it does.
    """

    def __init__(self, status: int, text: str, *, words: str = "", elsewhere: str = ""):
        super().__init__(text)
        self.status, self.text = status, text
        self.words, self.elsewhere = words or text, elsewhere
        # Why the prompt gets no answer; empty if it is not the prompt's fault.
        self.kind = refusal_kind(status, self.words)


class RequestFields:
    """The fields of a request, as a server wants them.

    Args:
        sampling: token limit and temperature.
        logprobs: whether to ask for log-probabilities.
        unknown: fields the server has refused; `learn` adds to them.
    """

    def __init__(self, sampling: SamplingParams, *, logprobs: bool, unknown: set[str]):
        self.sampling, self.logprobs, self.unknown = sampling, logprobs, unknown

    def fields(self, seed: int) -> dict[str, Any]:
        """The fields of one request beside model and messages."""
        told = {"do_sample": self.sampling.temperature > 0, "top_k": 0}
        everything = {
            "max_tokens": self.sampling.max_tokens,
            "temperature": self.sampling.temperature,
            "seed": seed >> (63 - _SEED_BITS),
            # The whole distribution, as a local model is sampled: llama.cpp,
            # vLLM and SGLang cut it by defaults of their own or the model's.
            "top_p": 1.0,
            "top_k": -1,
            "min_p": 0.0,
            # `transformers serve` samples only if told so in its own words.
            "generation_config": json.dumps(told),
        }
        if self.logprobs:
            everything["logprobs"] = True
        if "max_tokens" in self.unknown:
            everything["max_completion_tokens"] = self.sampling.max_tokens
        return {k: v for k, v in everything.items() if k not in self.unknown}

    def learn(self, refusal: RefusalError, sent: Mapping[str, Any]) -> bool:
        """Leave out what a refusal names; whether that is worth another try.

        The token limit only changes its name, and the temperature stays unless
        it is the 1 that a server without one has.
        """
        if refusal.status not in (400, 422) or refusal.kind != "refused":
            return False
        can_go = set(_CAN_GO)
        if "max_completion_tokens" in refusal.words:
            can_go.add("max_tokens")
        if self.sampling.temperature == 1:
            can_go.add("temperature")
        named = self.named(refusal, sent) & can_go
        self.unknown |= named
        return bool(named)

    def named(self, refusal: RefusalError, sent: Mapping[str, Any]) -> set[str]:
        """The fields that a refusal is about."""
        return {f for f in sent if re.search(rf"\b{f}\b", refusal.words)}

    @property
    def most_bytes(self) -> int:
        """What a reply can have at most."""
        each = _OF_A_TOKEN + _OF_A_LOGPROB * self.logprobs
        return _BESIDE_THE_TEXT + each * self.sampling.max_tokens


async def post(
    client: HttpClient,
    address: EndpointAddress,
    messages: list[dict[str, str]],
    fields: Mapping[str, Any],
    *,
    most: int,
) -> bytes:
    """The body of the server's reply to one request for a completion.

    Args:
        client: of the server.
        address: names the model.
        messages: the turns.
        fields: the others of the request.
        most: bytes of the reply.

    Raises:
        FaultError: worth another try.
        RefusalError: not worth one.
    """
    request = {"model": address.model, "messages": messages, **fields}
    body = json.dumps(request).encode()
    return await _body(client, "/chat/completions", most=most, body=body)


async def list_models(client: HttpClient) -> bytes:
    """The body of the server's list of models; raises as `post` does."""
    return await _body(client, "/models", most=_OF_A_LIST)


def describe_model(body: bytes, address: EndpointAddress, client: HttpClient) -> str:
    """What a list of models says of one, as far as it stays the same."""
    try:
        every = parse_json(body)["data"]
        (one,) = [each for each in every if each["id"] == address.model]
        facts = {name: one.get(name) for name in _REPORTED}
        facts |= {name: (one.get("meta") or {}).get(name) for name in _REPORTED_META}
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    plain = {n: v for n, v in facts.items() if v and isinstance(v, str | int | float)}
    return " ".join(f"{name}={client.words(value)}" for name, value in plain.items())


async def _body(
    client: HttpClient, path: str, *, most: int, body: bytes | None = None
) -> bytes:
    try:
        response = await client.request(path, most=most, body=body)
    except RedirectError as elsewhere:
        where = client.words(elsewhere.url) or "nowhere"
        text = f"it sends us to {where}"
        raise RefusalError(elsewhere.status, text, elsewhere=where) from None
    if response.status >= 300:
        raise _status(response, client) from None
    return response.body


def _status(response: Response, client: HttpClient) -> RetryableError | RefusalError:
    status, found = response.status, error_body(response.body)
    text = client.words(found.words)
    wait = retry_after(response.headers.get("retry-after"))
    # An account without money answers 429 as well, and always will.
    if status in _BUSY and "insufficient_quota" not in found.codes:
        return RetryableError(
            f"HTTP {status}: {text}", busy=True, counts=False, wait=wait
        )
    words = redact(f"{found.codes} {found.words}", client.key)[:MAX_CHARS]
    refusal = RefusalError(status, text, words=words)
    if status in _LATER or (status >= 500 and not refusal.kind):
        return RetryableError(f"HTTP {status}: {text}", wait=wait, status=status)
    return refusal


def refusal_error(
    refusal: RefusalError, address: EndpointAddress, client: HttpClient
) -> ModelError:
    """A refusal as the error that ends a run."""
    status = refusal.status
    if 300 <= status < 400:
        what = "the endpoint sends us elsewhere, and no prompt goes there"
        todo = _elsewhere(refusal.elsewhere, address)
    elif status in (401, 403) or (status == 400 and is_about_key(refusal.words)):
        with_key = "the endpoint refuses the key"
        what = with_key if client.key else "the endpoint needs a key"
        why = why_withheld(address.url)
        todo = f"set {OWN} to one that may use this model{f' ({why})' if why else ''}"
    elif status == 404:
        what = "the endpoint does not know this model or this address"
        todo = "most servers answer below /v1; what follows # is the model as they "
        todo += f"call it: {address.url}/models lists them"
    elif status == 407:
        what, todo = "the proxy wants a name and a password", "correct the variable"
    elif status in (402, 429):
        what, todo = "the account has no money left", "top it up; then carry on"
    else:
        what = "the endpoint refuses the request"
        todo = "see what it says; often the prompt and max_tokens exceed the model's "
        todo += "context, or the model allows one temperature only"
    said = f"{what} (HTTP {status}): {refusal.text}"
    return ModelError(said, where=f"{address}{client.route.shown}", todo=todo)


def _elsewhere(url: str, address: EndpointAddress) -> str:
    """What to do about a redirect."""
    base = url.partition("?")[0].removesuffix("/chat/completions")
    if not base.startswith(("http://", "https://")):
        return "look at what the server says; name the URL that answers itself"
    return (
        f"if that is the server you mean, let the study name it: {base}#{address.model}"
    )
