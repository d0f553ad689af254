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


def raises(
    expected: Any, *called: Any, match: str | None = None, **keywords: Any
) -> Any:
    """As pytest's: a context, or with a function the call itself."""
    context = Raises(expected, match)
    if not called:
        return context
    function: Callable[..., Any] = called[0]
    with context:
        function(*called[1:], **keywords)
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

    def _close(self, wanted: Any, value: Any) -> bool:
        if isinstance(wanted, list | tuple):
            return (
                isinstance(value, list | tuple)
                and len(wanted) == len(value)
                and all(map(self._close, wanted, value))
            )
        if isinstance(wanted, dict):
            return (
                isinstance(value, dict)
                and wanted.keys() == value.keys()
                and all(self._close(wanted[key], value[key]) for key in wanted)
            )
        numbers = type(value) in (int, float) and type(wanted) in (int, float)
        return math.isclose(wanted, value, **self._near) if numbers else wanted == value
