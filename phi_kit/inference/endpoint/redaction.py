"""Server text made fit for a message: no key, no control characters, one line."""

from __future__ import annotations

import base64
import html
import json
import re
from functools import lru_cache
from urllib.parse import quote

MAX_MESSAGE_CHARS = 500  # of a server's text in an error
HIDDEN = "***"
# Shorter ones, and plain words up to a length, are what people write for servers
# that want none: EMPTY, none, ollama. They stand in answers, too.
_SHORTEST, _WORD = 6, 12


def redact(text: str, key: str) -> str:
    """A text without the API key, which a server may repeat in any quoting."""
    forms, lower = _forms(key), text.lower()
    if not any(form in lower for form in forms):  # nearly always, and much faster
        return text
    return re.sub("|".join(map(re.escape, forms)), HIDDEN, text, flags=re.IGNORECASE)


@lru_cache(maxsize=8)
def _forms(key: str) -> tuple[str, ...]:
    """The ways to write a key, in lower case, the longest first."""
    if len(key) < _SHORTEST or (key.isalpha() and len(key) < _WORD):
        return ()
    coded = base64.b64encode(key.encode()).decode().rstrip("=")
    forms = {key, quote(key, safe=""), html.escape(key), json.dumps(key)[1:-1], coded}
    return tuple(sorted(map(str.lower, forms), key=len, reverse=True))


def clean_message(text: object, *, secret: str = "") -> str:
    """Text from a server on one line, shortened and without the API key.

    Characters that a terminal would obey (escape sequences, reversed writing) are
    replaced.
    """
    line = redact(" ".join(str(text).split()), secret)
    line = line if len(line) <= MAX_MESSAGE_CHARS else f"{line[:MAX_MESSAGE_CHARS]} …"
    return "".join(c if c.isprintable() else "\ufffd" for c in line)
