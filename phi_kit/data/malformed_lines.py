"""Rows that are none, and files that cannot be read at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# Says why a piece of text could not be decoded; nothing if it could.
DecodingFault = Callable[[str], str]
# What to do then.
ENCODING_HINT = "say encoding: cp1252, or whichever it is, or save the file as UTF-8"


@dataclass(frozen=True)
class MalformedLine:
    """What is no row.

    Args:
        where: the line or the item.
        text: what stands there.
        reason: what is wrong with it.
        spoilt: whether that is its encoding.
    """

    where: str
    text: str
    reason: str
    spoilt: bool = False


class UnreadableFileError(ValueError):
    """A file that is not what it should be, and what to do about it."""

    def __init__(self, why: str, todo: str = ""):
        super().__init__(why)
        self.todo = todo
