"""Requests to one server over HTTP: bounded, to that server only.

A reply is read piece by piece and let go as soon as it is longer than it can have
any reason to be, what is packed counted as it unpacks. All replies under way
together have a bound as well. A redirect is followed within the server and never
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
from .throttle import RetryableError

TOGETHER = 128 * 2**20  # bytes of all replies under way, but for a single long one
LONGEST = 24 * 2**20  # bytes of one reply
OF_AN_ERROR = 2**16  # bytes that are read of an error's body
_PART = 2**16  # bytes that are unpacked at once
_HOPS = 3  # redirects within the server
_SAME_REQUEST = (307, 308)  # redirects that keep the method


class Response(NamedTuple):
    """A reply: its status, the headers, and the body as far as it was read."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class RedirectError(Exception):
    """The server sends us to another one.

    Args:
        status: of HTTP.
        url: where to.
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
        self.share = max(TOGETHER // concurrency, 2**16)
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

    async def __aexit__(self, *how: Any) -> None:
        await self._client.__aexit__(*how)

    def words(self, text: object) -> str:
        """What the server says, fit for a message."""
        return clean_message(text, secret=self.key)

    async def request(
        self, path: str, *, most: int, body: bytes | None = None
    ) -> Response:
        """Ask and read the reply; a POST if there is a body to send.

        Args:
            path: below the server's URL.
            most: bytes of a reply. Of an error's body the first ones will do.
            body: JSON.

        Raises:
            FaultError: no reply came, or a longer one.
            ElsewhereError: another server is to be asked.
        """
        here = httpx.URL(f"{self.url}{path}")
        try:
            for _ in range(_HOPS + 1):
                async with self._sent(here, body) as response:
                    there = _redirect(response, keep=body is not None)
                    if there is None:
                        return await self._read(response, most)
                    if _origin(there) != _origin(here):
                        raise RedirectError(response.status_code, str(there))
                    here = there
            raise RedirectError(response.status_code, str(here))
        except httpx.TimeoutException:
            raise RetryableError(
                f"no reply in time{self.route.shown}", busy=True
            ) from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise ModelError(
                f"this is no address: {self.words(error)}", where=self.url
            ) from None
        except (httpx.HTTPError, OSError) as error:
            why = self.words(error) or type(error).__name__
            # It is there and speaks, if not as it should.
            spoke = isinstance(error, httpx.RemoteProtocolError)
            status = 200 if spoke and "disconnected" not in why else 0
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

    async def _read(self, response: httpx.Response, most: int) -> Response:
        failed = response.status_code >= 400
        most = OF_AN_ERROR if failed else min(most, LONGEST)
        unpack = self._unpacker(response)
        found, holding, read = bytearray(), False, 0
        try:
            async for piece in response.aiter_raw():
                read += len(piece)
                for part in unpack(piece):
                    found += part
                    if len(found) > self.share and not holding:
                        holding = await self._long.acquire()
                    if len(found) > most:
                        break
                if unpack.ended or max(len(found), read) > most:
                    break
        finally:
            if holding:
                self._long.release()
        if not failed and max(len(found), read) > most:
            why = f"a reply of more than {most:,} bytes, which was not read"
            raise RetryableError(why, status=response.status_code)
        # Where it was cut there may stand the beginning of the key.
        end = most - len(self.key) if len(found) > most else most
        return Response(response.status_code, response.headers, bytes(found[:end]))

    def _unpacker(self, response: httpx.Response) -> _Unpacker:
        encoding = response.headers.get("content-encoding", "")
        names = encoding.lower().replace(" ", "").split(",")
        names = [name for name in names if name not in ("", "identity")]
        if names not in ([], ["gzip"], ["x-gzip"], ["deflate"]):
            why = f"a reply packed as {self.words(encoding)}, which nobody wanted"
            raise RetryableError(why, status=response.status_code)
        return _Unpacker(names)


class _Unpacker:
    """Unpacks what a server packs unasked, some bytes at a time."""

    def __init__(self, names: list[str]):
        self.names = names
        self.stream = zlib.decompressobj(47)  # zlib or gzip, whichever it is
        self.begun = False

    @property
    def ended(self) -> bool:
        """Whether whatever follows is no part of it."""
        return self.stream.eof

    def __call__(self, piece: bytes) -> Iterator[bytes]:
        """What so much of the packed reply unpacks to, in small parts."""
        if not self.names:
            yield piece
            return
        try:
            # What is left inside once all was fed comes out of an empty piece.
            while out := self._next(piece):
                yield out
                piece = self.stream.unconsumed_tail
        except zlib.error:
            raise RetryableError(
                "a reply that cannot be unpacked", status=200
            ) from None

    def _next(self, piece: bytes) -> bytes:
        try:
            out = self.stream.decompress(piece, _PART)
        except zlib.error:
            if self.begun or self.names != ["deflate"]:
                raise
            # Some servers leave out the two bytes in front.
            self.stream = zlib.decompressobj(-zlib.MAX_WBITS)
            out = self.stream.decompress(piece, _PART)
        self.begun = True
        return out


def _redirect(response: httpx.Response, *, keep: bool) -> httpx.URL | None:
    """Where a reply sends us; `keep` if the method must stay what it is."""
    status, target = response.status_code, response.headers.get("location")
    if not 300 <= status < 400:
        return None
    try:
        there = response.request.url.join(target or "")
    except httpx.InvalidURL:
        raise RedirectError(status, target or "") from None
    if not target or (keep and status not in _SAME_REQUEST):
        raise RedirectError(status, str(there) if target else "")
    return there


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    default = {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.host, url.port or default
