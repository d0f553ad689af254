"""Requests to an OpenAI-compatible server, with the fields that it supports."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from phi_kit.core.endpoint_url import EndpointAddress
from phi_kit.core.errors import ModelError
from phi_kit.inference.types import SamplingParams

from .api_keys import OWN, why_withheld
from .http_client import HttpClient, HttpResponse, RedirectError
from .redaction import redact
from .refusals import MAX_CHARS, RefusalError, RetryableError, is_about_key
from .replies import error_body, parse_json

_LATER = (408, 409, 425)  # together with every 5xx: worth asking again
_BUSY = (429, 503, 529)  # 529 is an overloaded Anthropic
_SEED_BITS = 31  # what every server's seed can hold
_DROPPABLE = ("seed", "top_p", "top_k", "min_p", "generation_config", "logprobs")
# Facts in a list of models that change only if the model does.
_REPORTED = ("root", "parent")
_REPORTED_META = ("n_params", "size", "n_vocab", "n_embd", "n_ctx_train")
# Bytes of a reply. A token has a few characters and seldom more than a hundred, JSON
# may write each of them as six, and some servers repeat the prompt or the thinking.
_FIXED_BYTES, _TOKEN_BYTES, _LOGPROB_BYTES = 2**18, 512, 1536
_LIST_BYTES = 4 * 2**20


class RequestFields:
    """The fields of a request that a server supports.

    Args:
        sampling: token limit and temperature.
        logprobs: whether to ask for log-probabilities.
        unsupported: fields the server has refused; `drop_unsupported_fields` adds
            to them.
    """

    def __init__(
        self, sampling: SamplingParams, *, logprobs: bool, unsupported: set[str]
    ):
        self.sampling, self.logprobs, self.unsupported = sampling, logprobs, unsupported

    def fields(self, seed: int) -> dict[str, Any]:
        """The fields of one request beside model and messages."""
        own = {"do_sample": self.sampling.temperature > 0, "top_k": 0}
        fields = {
            "max_tokens": self.sampling.max_tokens,
            "temperature": self.sampling.temperature,
            "seed": seed >> (63 - _SEED_BITS),
            # The whole distribution, as a local model is sampled: llama.cpp,
            # vLLM and SGLang cut it by defaults of their own or the model's.
            "top_p": 1.0,
            "top_k": -1,
            "min_p": 0.0,
            # `transformers serve` samples only if its own field says so.
            "generation_config": json.dumps(own),
        }
        if self.logprobs:
            fields["logprobs"] = True
        if "max_tokens" in self.unsupported:
            fields["max_completion_tokens"] = self.sampling.max_tokens
        return {k: v for k, v in fields.items() if k not in self.unsupported}

    def drop_unsupported_fields(
        self, refusal: RefusalError, sent: Mapping[str, Any]
    ) -> bool:
        """Leave out the fields that a refusal names.

        The token limit only changes its name, and the temperature stays unless
        it is the 1 that a server without one has.

        Returns:
            Whether another request is worth a try.
        """
        if refusal.status not in (400, 422) or refusal.kind != "refused":
            return False
        droppable = set(_DROPPABLE)
        if "max_completion_tokens" in refusal.words:
            droppable.add("max_tokens")
        if self.sampling.temperature == 1:
            droppable.add("temperature")
        named = self.named(refusal, sent) & droppable
        self.unsupported |= named
        return bool(named)

    def named(self, refusal: RefusalError, sent: Mapping[str, Any]) -> set[str]:
        """The fields that a refusal is about."""
        return {f for f in sent if re.search(rf"\b{f}\b", refusal.words)}

    @property
    def max_reply_bytes(self) -> int:
        """Bytes that a reply can have at most."""
        each = _TOKEN_BYTES + _LOGPROB_BYTES * self.logprobs
        return _FIXED_BYTES + each * self.sampling.max_tokens


async def post(
    client: HttpClient,
    address: EndpointAddress,
    messages: list[dict[str, str]],
    fields: Mapping[str, Any],
    *,
    max_bytes: int,
) -> bytes:
    """The body of the server's reply to one request for a completion.

    Args:
        client: of the server.
        address: names the model.
        messages: the turns.
        fields: the others of the request.
        max_bytes: of the reply.

    Raises:
        RetryableError: worth another try.
        RefusalError: not worth one.
    """
    request = {"model": address.model, "messages": messages, **fields}
    body = json.dumps(request).encode()
    return await _body(client, "/chat/completions", max_bytes=max_bytes, body=body)


async def list_models(client: HttpClient) -> bytes:
    """The body of the server's list of models; raises as `post` does."""
    return await _body(client, "/models", max_bytes=_LIST_BYTES)


def describe_model(body: bytes, address: EndpointAddress, client: HttpClient) -> str:
    """What a list of models reports of one model, as far as it stays the same."""
    try:
        models = parse_json(body)["data"]
        (model,) = [each for each in models if each["id"] == address.model]
        facts = {name: model.get(name) for name in _REPORTED}
        facts |= {name: (model.get("meta") or {}).get(name) for name in _REPORTED_META}
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    plain = {n: v for n, v in facts.items() if v and isinstance(v, str | int | float)}
    return " ".join(f"{name}={client.clean(value)}" for name, value in plain.items())


async def _body(
    client: HttpClient, path: str, *, max_bytes: int, body: bytes | None = None
) -> bytes:
    try:
        response = await client.request(path, max_bytes=max_bytes, body=body)
    except RedirectError as redirect:
        where = client.clean(redirect.url) or "nowhere"
        text = f"it sends us to {where}"
        raise RefusalError(redirect.status, text, redirect=where) from None
    if response.status >= 300:
        raise _failed_status(response, client) from None
    return response.body


def _failed_status(
    response: HttpResponse, client: HttpClient
) -> RetryableError | RefusalError:
    status, body = response.status, error_body(response.body)
    text = client.clean(body.words)
    wait = retry_after(response.headers.get("retry-after"))
    # An account without money answers 429 as well, and always will.
    if status in _BUSY and "insufficient_quota" not in body.codes:
        return RetryableError(
            f"HTTP {status}: {text}", busy=True, counts=False, wait=wait
        )
    words = redact(f"{body.codes} {body.words}", client.key)[:MAX_CHARS]
    refusal = RefusalError(status, text, words=words)
    if status in _LATER or (status >= 500 and not refusal.kind):
        return RetryableError(f"HTTP {status}: {text}", wait=wait, status=status)
    return refusal


def retry_after(text: str | None) -> float | None:
    """Seconds a `Retry-After` header asks for: a number or a date (RFC 9110)."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def refusal_error(
    refusal: RefusalError, address: EndpointAddress, client: HttpClient
) -> ModelError:
    """A refusal as the error that ends a run."""
    status = refusal.status
    if 300 <= status < 400:
        what = "the endpoint sends us elsewhere, and no prompt goes there"
        todo = _redirect_advice(refusal.redirect, address)
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
    message = f"{what} (HTTP {status}): {refusal.text}"
    return ModelError(message, where=f"{address}{client.route.shown}", todo=todo)


def _redirect_advice(url: str, address: EndpointAddress) -> str:
    """What to do about a redirect."""
    base = url.partition("?")[0].removesuffix("/chat/completions")
    if not base.startswith(("http://", "https://")):
        return "look at what the server says; name the URL that answers itself"
    return (
        f"if that is the server you mean, let the study name it: {base}#{address.model}"
    )
