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


def redact(text: str, key: str) -> str:
    """A text without the key that a server may repeat in it, however it is quoted."""
    forms, lower = _forms(key), text.lower()
    if not any(form in lower for form in forms):  # nearly always, and much faster
        return text
    return re.sub("|".join(map(re.escape, forms)), HIDDEN, text, flags=re.IGNORECASE)


@lru_cache(maxsize=8)
def _forms(key: str) -> tuple[str, ...]:
    """How a key may be written, in small letters, the longest first."""
    if len(key) < _SHORTEST or (key.isalpha() and len(key) < _WORD):
        return ()
    coded = base64.b64encode(key.encode()).decode().rstrip("=")
    forms = {key, quote(key, safe=""), html.escape(key), json.dumps(key)[1:-1], coded}
    return tuple(sorted(map(str.lower, forms), key=len, reverse=True))


def clean_message(text: object, *, secret: str = "") -> str:
    """A server's words on one line, short, and without the key it may repeat.

    What a terminal would obey (escape sequences, reversed writing) is replaced.
    """
    line = redact(" ".join(str(text).split()), secret)
    line = line if len(line) <= LONGEST else f"{line[:LONGEST]} …"
    return "".join(c if c.isprintable() else "\ufffd" for c in line)
