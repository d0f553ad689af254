"""HTTP requests to one server, with bounds on what it may send.

A reply is read piece by piece and dropped as soon as it is longer than it can have
any reason to be; compressed replies are counted as they unpack. All replies under
way together have a bound as well. A redirect is followed within the server and never
to another one, which would get the prompts and answer in the model's place.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Self

import httpx

from phi_kit import __version__
from phi_kit.core.errors import ModelError

from .api_keys import key_for
from .proxies import proxy_route, transport
from .redaction import clean_message
from .refusals import RetryableError

TOTAL_BYTES = 128 * 2**20  # of all replies under way, but for a single long one
MAX_REPLY_BYTES = 24 * 2**20  # of one reply
ERROR_BYTES = 2**16  # that are read of an error's body
_CHUNK_BYTES = 2**16  # unpacked at once
_MAX_REDIRECTS = 3  # redirects within the server
_SAME_REQUEST = (307, 308)  # redirects that keep the method


class HttpResponse(NamedTuple):
    """A reply: its status, the headers, and the body as far as it was read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class RedirectError(Exception):
    """The server redirects to another one.

    Args:
        status: of HTTP.
        url: of the other server.
    """

    def __init__(self, status: int, url: str):
        super().__init__(url)
        self.status, self.url = status, url


class HttpClient:
    """A client for one server; use it in an `async with` block.

    Args:
        url: of the server, as a study names it.
        timeout: seconds of silence in a request.
        concurrency: requests under way at most.

    Raises:
        ModelError: the key or the proxy cannot be used.
    """

    def __init__(self, url: str, *, timeout: float, concurrency: int):
        self.url, self.key = url, key_for(url)
        self.route = proxy_route(url)
        self.share = max(TOTAL_BYTES // concurrency, 2**16)
        self._long = asyncio.Lock()  # held by the one reply beyond its share
        headers = {
            "accept": "application/json",
            # Little is gained by packing, and what unpacks can be endless.
            "accept-encoding": "identity",
            "user-agent": f"phi_kit/{__version__}",
        }
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=timeout,
            transport=transport(url, self.route),
            follow_redirects=False,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *details: Any) -> None:
        await self._client.__aexit__(*details)

    def clean(self, text: object) -> str:
        """Text from the server, made fit for a message."""
        return clean_message(text, secret=self.key)

    async def request(
        self, path: str, *, max_bytes: int, body: bytes | None = None
    ) -> HttpResponse:
        """Send a request and read the reply; a POST if there is a body to send.

        Args:
            path: below the server's URL.
            max_bytes: of a reply; of an error only the beginning is read.
            body: JSON.

        Raises:
            RetryableError: no reply came, or a longer one.
            RedirectError: another server is to be asked.
        """
        current = httpx.URL(f"{self.url}{path}")
        try:
            for _ in range(_MAX_REDIRECTS + 1):
                async with self._sent(current, body) as response:
                    target = _redirect(response, keep=body is not None)
                    if target is None:
                        return await self._read(response, max_bytes)
                    if _origin(target) != _origin(current):
                        raise RedirectError(response.status_code, str(target))
                    current = target
            raise RedirectError(response.status_code, str(current))
        except httpx.TimeoutException:
            raise RetryableError(
                f"no reply in time{self.route.shown}", busy=True
            ) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise ModelError(
                f"this is no address: {self.clean(error)}", where=self.url
            ) from None
        except (httpx.HTTPError, OSError) as error:
            why = self.clean(error) or type(error).__name__
            # The server answers, if not as it should.
            answered = isinstance(error, httpx.RemoteProtocolError)
            status = 200 if answered and "disconnected" not in why else 0
            raise RetryableError(f"{why}{self.route.shown}", status=status) from None

    @asynccontextmanager
    async def _sent(
        self, url: httpx.URL, body: bytes | None
    ) -> AsyncIterator[httpx.Response]:
        method = "GET" if body is None else "POST"
        headers = {} if body is None else {"content-type": "application/json"}
        async with self._client.stream(
            method, url, content=body, headers=headers
        ) as response:
            yield response

    async def _read(self, response: httpx.Response, max_bytes: int) -> HttpResponse:
        failed = response.status_code >= 400
        limit = ERROR_BYTES if failed else min(max_bytes, MAX_REPLY_BYTES)
        unpack = self._unpacker(response)
        body, holding, read = bytearray(), False, 0
        try:
            async for piece in response.aiter_raw():
                read += len(piece)
                for part in unpack(piece):
                    body += part
                    if len(body) > self.share and not holding:
                        holding = await self._long.acquire()
                    if len(body) > limit:
                        break
                if unpack.ended or max(len(body), read) > limit:
                    break
        finally:
            if holding:
                self._long.release()
        if not failed and max(len(body), read) > limit:
            why = f"a reply of more than {limit:,} bytes, which was not read"
            raise RetryableError(why, status=response.status_code)
        # At the cut there may stand the beginning of the key.
        end = limit - len(self.key) if len(body) > limit else limit
        return HttpResponse(response.status_code, response.headers, bytes(body[:end]))

    def _unpacker(self, response: httpx.Response) -> _Unpacker:
        encoding = response.headers.get("content-encoding", "")
        names = encoding.lower().replace(" ", "").split(",")
        names = [name for name in names if name not in ("", "identity")]
        if names not in ([], ["gzip"], ["x-gzip"], ["deflate"]):
            why = f"a reply packed as {self.clean(encoding)}, which nobody wanted"
            raise RetryableError(why, status=response.status_code)
        return _Unpacker(names)


class _Unpacker:
    """Unpacks a reply that a server compressed unasked, some bytes at a time."""

    def __init__(self, names: list[str]):
        self.names = names
        self.stream = zlib.decompressobj(47)  # zlib or gzip, whichever it is
        self.started = False

    @property
    def ended(self) -> bool:
        """Whether the compressed data has ended."""
        return self.stream.eof

    def __call__(self, piece: bytes) -> Iterator[bytes]:
        """Unpack a piece of the compressed reply, in small parts."""
        if not self.names:
            yield piece
            return
        try:
            # An empty piece brings out what is left inside.
            while out := self._next(piece):
                yield out
                piece = self.stream.unconsumed_tail
        except zlib.error:
            raise RetryableError(
                "a reply that cannot be unpacked", status=200
            ) from None

    def _next(self, piece: bytes) -> bytes:
        try:
            out = self.stream.decompress(piece, _CHUNK_BYTES)
        except zlib.error:
            if self.started or self.names != ["deflate"]:
                raise
            # Some servers leave out the two bytes in front.
            self.stream = zlib.decompressobj(-zlib.MAX_WBITS)
            out = self.stream.decompress(piece, _CHUNK_BYTES)
        self.started = True
        return out


def _redirect(response: httpx.Response, *, keep: bool) -> httpx.URL | None:
    """The target of a redirect; `keep` if the method must not change."""
    status, target = response.status_code, response.headers.get("location")
    if not 300 <= status < 400:
        return None
    try:
        target_url = response.request.url.join(target or "")
    except httpx.InvalidURL:
        raise RedirectError(status, target or "") from None
    if not target or (keep and status not in _SAME_REQUEST):
        raise RedirectError(status, str(target_url) if target else "")
    return target_url


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    default = {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.host, url.port or default
