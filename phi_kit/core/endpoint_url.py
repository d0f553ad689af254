"""A model behind a URL: `http://host:port/v1#model`, in study files and on disk."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from .errors import StudyError

EXAMPLE = "http://localhost:8000/v1#my-model"


class EndpointAddress(NamedTuple):
    """Where an OpenAI-compatible server is, and what it calls the model."""

    url: str
    model: str

    def __str__(self) -> str:
        return f"{self.url}#{self.model}"


def is_endpoint(name: str) -> bool:
    """Whether a model's name is a URL rather than a catalogue name, id or folder."""
    return bool(re.match(r"\s*https?://", str(name), re.IGNORECASE))


def parse_endpoint(name: str) -> EndpointAddress:
    """The two parts of an endpoint's name.

    Raises:
        StudyError: it names no host or no model, or carries a key.
    """
    url, _, model = str(name).strip().partition("#")
    try:
        parts = urlsplit(url)
        host = parts.hostname and (parts.port or True)
    except ValueError:
        host = None
    # A URL with a backslash or a blank in it is read as another host by others.
    if not is_endpoint(url) or not host or re.search(r"[\s\\\x00-\x20\x7f]", url):
        raise StudyError(f"an endpoint is written like {EXAMPLE}")
    if "@" in parts.netloc or parts.query:
        # A model's name stands in manifests and notebooks; a key must not.
        raise StudyError("an endpoint's name has no key in it; use PHI_KIT_API_KEY")
    if not model.strip():
        raise StudyError(f"name the endpoint's model after a #, like {EXAMPLE}")
    if not model.strip().isprintable():
        raise StudyError("an endpoint's model has a character that cannot be shown")
    base = f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path.rstrip('/')}"
    return EndpointAddress(base, model.strip())


def is_local(url: str) -> bool:
    """Whether a URL's host is this machine, so that nobody listens on the way."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost":
        return True
    try:
        ip = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    ip = getattr(ip, "ipv4_mapped", None) or ip
    # 0.0.0.0 is what servers print as their own address.
    return ip.is_loopback or ip.is_unspecified
