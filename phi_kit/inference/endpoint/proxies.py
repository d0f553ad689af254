"""The proxy for a server, as the environment names it."""

from __future__ import annotations

import os
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from phi_kit.core.endpoint_url import is_local
from phi_kit.core.errors import ModelError


class Route(NamedTuple):
    """The way to a server.

    Attributes:
        proxy: URL of the proxy, password included; empty where there is none.
        shown: text to add to a message: "", or ", through the proxy …".
    """

    proxy: str = ""
    shown: str = ""


def proxy_route(url: str) -> Route:
    """The way to a server by the proxy variables; this machine is reached directly.

    `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` count, in capitals or not.
    """
    parts = urlsplit(url)
    if is_local(url) or proxy_bypass(parts.netloc):
        return Route()
    proxies = getproxies()
    scheme = parts.scheme if proxies.get(parts.scheme) else "all"
    proxy = proxies.get(scheme, "")
    if not proxy:
        return Route()
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    at = proxy.partition("://")[2].rpartition("@")[2]  # without a password
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    name = next(filter(os.environ.get, names), "the system's settings")
    kind = proxy.partition("://")[0]
    return Route(proxy, f", through the proxy {kind}://{at} ({name})")


def transport(url: str, way: Route) -> httpx.AsyncHTTPTransport:
    """The HTTP transport for a server.

    Raises:
        ModelError: the proxy cannot be used.
    """
    secure = httpx.create_ssl_context() if url.startswith("https") else False
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    proxy = way.proxy or None
    try:
        return httpx.AsyncHTTPTransport(verify=secure, limits=limits, proxy=proxy)
    except ImportError:
        what = "a SOCKS proxy needs the package socksio"
    except (ValueError, httpx.InvalidURL):
        what = "the environment names a proxy that is none"
    raise ModelError(
        what,
        where=f"{url}{way.shown}",
        todo="correct the variable, or let NO_PROXY name this server's host",
    )
