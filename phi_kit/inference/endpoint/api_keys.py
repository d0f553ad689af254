"""Which API key may be sent to a server.

A study file names the server, and a study file may come from anyone: so a key is sent
only to the hosts it is meant for, and over plain http only to this machine.
"""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from phi_kit.core.endpoint_url import is_local
from phi_kit.core.errors import ModelError

OWN, OPENAI, HOSTS = "PHI_KIT_API_KEY", "OPENAI_API_KEY", "PHI_KIT_API_KEY_HOSTS"
_OPENAI_HOST = "api.openai.com"


def key_for(url: str) -> str:
    """The key for a server, or an empty text.

    `PHI_KIT_API_KEY` goes to any host over https, and to this machine; or, if
    `PHI_KIT_API_KEY_HOSTS` names hosts (`host` or `host:port`, with commas), to those
    alone, over plain http as well. `OPENAI_API_KEY` goes to https://api.openai.com.

    Raises:
        ModelError: the key would go over plain http, or cannot be one.
    """
    parts = urlsplit(url)
    if own := _key(OWN):
        if named := _hosts():
            if named & {parts.hostname, parts.netloc}:
                return own
        elif parts.scheme == "https" or is_local(url):
            return own
        else:
            raise ModelError(
                f"{OWN} would go over plain http, readable for all on the way",
                where=url,
                todo=f"use https; or name the hosts that may have it, {HOSTS}="
                f"{parts.netloc}; or unset it, if the server wants none",
            )
    is_openai = parts.hostname == _OPENAI_HOST and parts.port in (None, 443)
    return _key(OPENAI) if is_openai and parts.scheme == "https" else ""


def why_withheld(url: str) -> str:
    """Why a key that is set does not go to a server; empty if none is set."""
    parts = urlsplit(url)
    if os.environ.get(OWN, "").strip():
        named = _hosts()
        left_out = named and not named & {parts.hostname, parts.netloc}
        return f"{HOSTS} does not name {parts.netloc}" if left_out else ""
    if os.environ.get(OPENAI, "").strip() and parts.hostname != _OPENAI_HOST:
        return f"{OPENAI} goes to https://{_OPENAI_HOST} only"
    return ""


def _hosts() -> set[str]:
    listed = os.environ.get(HOSTS, "").lower().split(",")
    return {host.strip() for host in listed if host.strip()}


def _key(name: str) -> str:
    key = os.environ.get(name, "").strip()
    # As a header it could not be sent, and the library's error would show it.
    if key and not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ModelError(
            f"{name} holds a blank, a line break or a letter that no key has",
            todo="set it again, without quotation marks or a second line",
        )
    return key
