"""Many requests to one server: as many at once as it bears, retried, within budget."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from phi_kit.core.errors import RunError

from . import wire
from .folders import say
from .replies import read
from .sampling import Asked, Sample, Sampling
from .throttle import FaultError, Throttle, backoff

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from .endpoints import Endpoint

# Samples live in their step's tables: a step that ends midway has none.
CARRY_ON = (
    "finished steps stay and the same command carries on after them; this step's "
    "samples are asked, and paid for, anew"
)
_QUIET = 5.0  # seconds of nothing but faults that nobody has to hear of
_LISTINGS = 3  # failures after which a server has no list of models
_LOOK_AGAIN = 0.05  # seconds until the budget is looked at again

T = TypeVar("T")


class GivenUpError(Exception):
    """One sample failed too often; the others go on."""


def key() -> str:
    """The key for a server that wants one, or an empty text."""
    names = ("PHI_KIT_API_KEY", "OPENAI_API_KEY")
    return next(filter(None, (os.environ.get(name, "").strip() for name in names)), "")


class Requesting:
    """One call of `Endpoint.stream`, inside its event loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        asked: Sequence[Asked] = (),
        sampling: Sampling | None = None,
    ):
        self.endpoint, self.asked = endpoint, asked
        self.limits, self.spending = endpoint.settings, endpoint.spending
        self.sampling = sampling or Sampling()
        self.dialect = wire.Dialect(
            self.sampling, logprobs=self.limits.logprobs, unknown=endpoint.unknown
        )
        self.waiting = iter(range(len(asked)))
        self.lost: Counter[str] = Counter()  # why, of the samples given up
        self.arrived = self.under_way = 0
        self.used_up = self.told = False
        self.throttle: Throttle
        self.client: AsyncOpenAI

    async def samples(self, put: Callable[[tuple[int, Sample]], None]) -> None:
        """Hand over (place, sample) for all that is asked."""
        async with self._open():
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(self.limits.concurrency, len(self.asked))):
                        group.create_task(self._work(put))
            except BaseExceptionGroup as several:
                raise several.exceptions[0] from None
        if self.arrived < len(self.asked):
            raise self._incomplete()

    async def report(self, put: Callable[[str], None]) -> None:
        """Hand over what the server says of the model, if anything.

        A list of models that cannot be made (some servers answer 404 or 500)
        is no list; a server that cannot be reached is waited for.
        """
        failures = 0

        async def listing() -> bytes:
            nonlocal failures
            try:
                return await wire.listing(self.client)
            except wire.RefusalError as refusal:
                if refusal.status in (401, 403):
                    raise self._refused(refusal) from None
                return b""
            except FaultError as fault:
                failures += bool(fault.status)
                fault.counts = False
                if failures >= _LISTINGS:
                    return b""
                raise

        async with self._open():
            put(wire.described(await self._patiently(listing), self.endpoint.address))

    def _open(self) -> AsyncOpenAI:
        from openai import AsyncOpenAI

        limits = self.limits
        self.throttle = Throttle(
            limits.concurrency,
            patience=limits.patience,
            first=self.endpoint.first_wait,
        )
        # The client insists on a key; a server without keys ignores it. Its own
        # retries are off: they would know nothing of what other requests met.
        self.client = AsyncOpenAI(
            base_url=self.endpoint.address.url,
            api_key=key() or "none",
            max_retries=0,
            timeout=limits.timeout,
        )
        return self.client

    async def _work(self, put: Callable[[tuple[int, Sample]], None]) -> None:
        """One of many that take what is waiting until nothing is left."""
        for place in self.waiting:
            one = self.asked[place]
            most = self.spending.most(one.prompt, self.sampling.max_tokens)
            if not await self._granted(most):
                return
            self.under_way += 1
            try:
                with self.spending.set_aside(most):
                    sample = await self._patiently(lambda one=one: self._ask(one))
            except GivenUpError as given_up:
                self.lost[str(given_up)] += 1
                continue
            finally:
                self.under_way -= 1
            self.arrived += 1
            put((place, sample))

    async def _granted(self, amount: Any) -> bool:
        """Whether the budget has room for it, perhaps once others have ended."""
        while not self.used_up:
            if self.spending.fits(amount):
                return True
            self.used_up = not self.under_way
            await asyncio.sleep(_LOOK_AGAIN)
        return False

    async def _patiently(self, call: Callable[[], Awaitable[T]]) -> T:
        """The call's result, at the second or a later attempt if need be."""
        attempts = counted = 0
        while True:
            began = 0.0
            try:
                async with self.throttle.slot() as began:
                    async with asyncio.timeout(self.limits.timeout):
                        found = await call()
                    self.throttle.succeeded()
                    return found
            except TimeoutError:
                fault = FaultError(f"no reply in {self.limits.timeout:g} s", busy=True)
            except FaultError as caught:
                fault = caught
            self.throttle.failed(fault, began)
            attempts, counted = attempts + 1, counted + fault.counts
            if self.throttle.hopeless(fault):
                raise self._dead(fault.why)
            if counted >= self.endpoint.tries:
                raise GivenUpError(fault.why)
            self._tell(fault)
            wait = backoff(attempts, self.endpoint.first_wait)
            await asyncio.sleep(max(wait, fault.wait or 0))

    async def _ask(self, one: Asked) -> Sample:
        """One request, again at once where the server wanted other words."""
        address = self.endpoint.address
        while True:
            fields = self.dialect.fields(one.seed)
            unseeded = "seed" in self.endpoint.unknown
            try:
                body = await wire.post(
                    self.client, address, json.loads(one.prompt), fields
                )
                break
            except wire.RefusalError as refusal:
                if not self.dialect.learn(refusal, fields):
                    raise self._refused(refusal) from None
                if not unseeded and "seed" in self.endpoint.unknown:
                    say(f"{address.url} takes no seed: no sample can be repeated")
        try:
            answer = read(body, address)
        except FaultError as fault:
            if any(fault.used):
                self.spending.note(*fault.used)
            raise
        sample = answer.sample
        cost = self.spending.note(answer.prompt_tokens, sample.tokens)
        return replace(sample, cost=cost)

    def _tell(self, fault: FaultError) -> None:
        """Say once that it is not us who hang."""
        if not self.told and self.throttle.failing > _QUIET:
            self.told = True
            most = f"trying for up to {self.limits.patience:g} s"
            say(f"{self.endpoint.address.url}: {fault.why}; {most}")

    # --- how it ends badly ---

    def _missing(self) -> str:
        missing, total = len(self.asked) - self.arrived, len(self.asked)
        return f"{missing} of {total} samples are missing" if total else "nothing came"

    def _refused(self, refusal: wire.RefusalError) -> Exception:
        return wire.refused(refusal, self.endpoint.address, key=bool(key()))

    def _dead(self, why: str) -> RunError:
        return RunError(
            f"the endpoint does not answer ({why}); {self._missing()}",
            where=f"{self.endpoint.address}, nothing but faults for "
            f"{self.throttle.failing:.0f} s",
            todo=f"see whether the server runs and can be reached; {CARRY_ON}",
        )

    def _incomplete(self) -> RunError:
        if self.used_up:
            allowed = self.limits.model_dump(
                include={"budget_tokens", "budget_cost"}, exclude_none=True
            )
            named = ", ".join(f"{name} {value:g}" for name, value in allowed.items())
            return RunError(
                f"the endpoint's budget is used up: {self.spending} of {named}; "
                f"{self._missing()}",
                where=str(self.spending.file or self.endpoint.address),
                todo=f"raise it in the study's `endpoint:` section; {CARRY_ON}",
            )
        whys = "; ".join(f"{n}x {why}" for why, n in self.lost.most_common(3))
        return RunError(
            f"{self._missing()}: each failed {self.endpoint.tries} times ({whys})",
            where=str(self.endpoint.address),
            todo=f"look at the server's log; {CARRY_ON}",
        )
