"""A server's words, made fit for a message: no key, no control characters, one line."""

from __future__ import annotations

import base64
import html
import json
import re
from functools import lru_cache
from urllib.parse import quote

LONGEST = 500  # characters of a server's words in an error
HIDDEN = "***"
# Shorter ones, and plain words up to a length, are what people write for servers
# that want none: EMPTY, none, ollama. They stand in answers, too.
_SHORTEST, _WORD = 6, 12


def redacted(text: str, key: str) -> str:
    """A text without the key that a server may repeat in it, however it is quoted."""
    pattern = _pattern(key)
    return pattern.sub(HIDDEN, text) if pattern else text


@lru_cache(maxsize=8)
def _pattern(key: str) -> re.Pattern[str] | None:
    if len(key) < _SHORTEST or (key.isalpha() and len(key) < _WORD):
        return None
    coded = base64.b64encode(key.encode()).decode().rstrip("=")
    forms = {key, quote(key, safe=""), html.escape(key), json.dumps(key)[1:-1], coded}
    longest_first = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)


def said(text: object, *, secret: str = "") -> str:
    """A server's words on one line, short, and without the key it may repeat.

    What a terminal would obey (escape sequences, reversed writing) is replaced.
    """
    line = redacted(" ".join(str(text).split()), secret)
    line = line if len(line) <= LONGEST else f"{line[:LONGEST]} …"
    return "".join(c if c.isprintable() else "\ufffd" for c in line)
