"""The two names that tests written for pytest need, for a sandbox without it."""

from __future__ import annotations

import math
import re

TYPE_CHECKING = False  # loading `typing` takes longer than a small solution
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Raises:
    """`with raises(ValueError, match="…"):`."""

    def __init__(self, expected: Any, match: str | None = None):
        self._expected, self._match = expected, match
        self.value: BaseException | None = None

    def __enter__(self) -> Raises:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if error is None:
            raise AssertionError("did not raise")
        if not isinstance(error, self._expected):
            return False
        self.value = error
        if self._match is not None and not re.search(self._match, str(error)):
            raise AssertionError(f"raised other words: {error}")
        return True


def raises(expected: Any, *called: Any, match: str | None = None, **named: Any) -> Any:
    """As pytest's: a context, or with a function the call itself."""
    context = Raises(expected, match)
    if not called:
        return context
    function: Callable[..., Any] = called[0]
    with context:
        function(*called[1:], **named)
    return context


class approx:  # noqa: N801 - pytest's own spelling
    """A number, or a list or dict of numbers, to within a tolerance."""

    __hash__ = None

    def __init__(self, expected: Any, rel: float | None = None, abs: float = 1e-12):
        self._expected = expected
        self._near = {"rel_tol": 1e-6 if rel is None else rel, "abs_tol": abs}

    def __eq__(self, other: object) -> bool:
        return self._close(self._expected, other)

    def __repr__(self) -> str:
        return f"approximately {self._expected!r}"

    def _close(self, wanted: Any, found: Any) -> bool:
        if isinstance(wanted, list | tuple):
            return (
                isinstance(found, list | tuple)
                and len(wanted) == len(found)
                and all(map(self._close, wanted, found))
            )
        if isinstance(wanted, dict):
            return (
                isinstance(found, dict)
                and wanted.keys() == found.keys()
                and all(self._close(wanted[key], found[key]) for key in wanted)
            )
        numbers = type(found) in (int, float) and type(wanted) in (int, float)
        return math.isclose(wanted, found, **self._near) if numbers else wanted == found
