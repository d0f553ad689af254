"""Stand-ins in the tests' process for objects that stay in the solution's.

Standard library only, loaded by its path inside the sandbox. A stand-in passes on
what a test does with an object and returns the result, but it never lets the object
decide a comparison, and it passes no operand or argument to an object where a plain
value was due.
"""

from __future__ import annotations

import builtins

from .plain_values import METHODS

TYPE_CHECKING = False  # loading `typing` takes longer than a small solution
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any


class Link:
    """The connection that a stand-in belongs to."""

    def ask(self, do: str, target: Any, *arguments: Any, **more: Any) -> Any:
        """The result of one operation on the other side."""

    def fail(self, reason: str) -> None:
        """Give up: the solution is wrong, whatever the tests do next."""


class RemoteObject:
    """An object on the other side.

    If a test built it from a class of the solution, all of it is under test.
    Otherwise a function returned it, where plain data was due.
    """

    __slots__ = ("_phi",)

    def __init__(self, link: Link, name: str, *, maker: bool = False):
        object.__setattr__(self, "_phi", (link, name, maker, False))

    def _ask(self, do: str, *arguments: Any, **more: Any) -> Any:
        return self._phi[0].ask(do, self, *arguments, **more)

    def _refuse(self, what: str) -> Any:
        link, name, *_ = self._phi
        link.fail(f"gave an object of type {name}, not plain data: {what}")

    def _own(self, do: str, *arguments: Any) -> Any:
        """An operation that is open only to an object which a test has built."""
        if not self._phi[3]:
            self._refuse(f"it has no say in '{do}'")
        return self._ask(do, *arguments)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name != "__name__":
            raise AttributeError(name)
        if name in METHODS and not self._phi[3]:
            self._refuse(f"'{name}' is a plain value's")
        return self._ask("get", name)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call it; an instance of a solution's class is under test as a whole."""
        maker = self._phi[2]
        result = self._ask("call", *arguments, named=keywords, make=maker)
        if maker and isinstance(result, RemoteObject):
            object.__setattr__(result, "_phi", (*result._phi[:3], True))
        return result

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("set", name, value)

    def __delattr__(self, name: str) -> None:
        self._ask("delete", name)

    def __eq__(self, other: object) -> bool:
        if other is None or isinstance(other, RemoteObject):
            return self is other
        return self._refuse("it is compared")

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> bool:
        return self._ask("bool")

    def __len__(self) -> int:
        return self._ask("len")

    def __str__(self) -> str:
        return self._ask("str")

    def __repr__(self) -> str:
        return self._ask("repr")

    def __iter__(self) -> Iterator[Any]:
        return self._ask("iter")

    def __instancecheck__(self, value: Any) -> bool:
        return isinstance(value, RemoteObject) and self._phi[0].ask(
            "isinstance", value, self
        )

    def __enter__(self) -> Any:
        return self._ask("enter")

    def __exit__(self, *error: object) -> None:
        self._ask("exit")

    def __copy__(self) -> RemoteObject:
        return self

    def __deepcopy__(self, memo: dict) -> RemoteObject:
        return self


def _forward(do: str) -> Callable[..., Any]:
    return lambda self, *arguments: self._own(do, *arguments)


def _swapped(do: str) -> Callable[..., Any]:
    def other_way(self: RemoteObject, other: Any) -> Any:
        if not self._phi[3]:
            self._refuse(f"it has no say in '{do}'")
        return self._phi[0].ask(do, other, self)

    return other_way


def _never(self: RemoteObject, other: object) -> Any:
    return self._refuse("it is compared")


for _name in ("lt", "le", "gt", "ge"):
    setattr(RemoteObject, f"__{_name}__", _never)
_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
for _name in _ARITHMETIC:
    setattr(RemoteObject, f"__{_name}__", _forward(_name))
    setattr(RemoteObject, f"__r{_name}__", _swapped(_name))
for _name in ("and", "or", "xor", "neg", "abs", "contains"):
    setattr(RemoteObject, f"__{_name}__", _forward(_name))
for _name in ("item", "setitem", "delitem"):
    setattr(
        RemoteObject, f"__{_name.replace('item', '') or 'get'}item__", _forward(_name)
    )


class RemoteIterator(RemoteObject):
    """An iterator on the other side; it may have no end."""

    __slots__ = ()

    def __iter__(self) -> RemoteIterator:
        return self

    def __next__(self) -> Any:
        return self._ask("next")


class RemoteCoroutine(RemoteObject):
    """A coroutine on the other side; it runs when a test awaits it."""

    __slots__ = ()

    def send(self, value: Any) -> Any:
        """Run it to its end, as an event loop does step by step."""
        raise StopIteration(self._ask("run"))

    def throw(self, *error: Any) -> Any:
        """Do nothing: no part of it waits here."""
        raise RuntimeError("a coroutine that was cancelled")

    def close(self) -> None:
        """Do nothing: no part of it waits here."""

    def __await__(self) -> Iterator[Any]:
        return self._ask("run")
        yield


_KINDS = {"iterator": RemoteIterator, "coroutine": RemoteCoroutine}


def stand_in(link: Link, sort: str, name: str) -> RemoteObject:
    """The kind of stand-in for an object, by what the other side calls it."""
    return _KINDS.get(sort, RemoteObject)(link, name)


class MissingName:
    """In place of a name that a solution should have defined; any use of it fails.

    Args:
        fail: called with the reason.
        why: the reason.
    """

    __hash__ = None

    def __init__(self, fail: Callable[[str], None], why: str):
        self.__dict__["_use"] = lambda: fail(why)


def _lost(self: MissingName, *arguments: Any, **keywords: Any) -> Any:
    return self._use()


_USES = "call getattr setattr delattr eq ne lt le gt ge bool len iter next contains"
_USES += " getitem setitem delitem str repr format instancecheck mro_entries enter exit"
for _name in (*_USES.split(), *_ARITHMETIC, *(f"r{name}" for name in _ARITHMETIC)):
    setattr(MissingName, f"__{_name}__", _lost)


class CandidateError(Exception):
    """An exception of a type that only the solution knows."""


def rebuild_exception(
    message: dict[str, Any], arguments: list, named_types: dict[str, type]
) -> Exception:
    """The exception that a solution reports, of the nearest type known here.

    Args:
        message: the name of its type and those of its bases, and its text.
        arguments: what it was raised with.
        named_types: the exceptions that the tests speak of, by name.
    """
    names = [message["error"], *message.get("kinds", ())]
    for name in names:
        kind = named_types.get(name) or getattr(builtins, str(name), None)
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            continue
        # These would end a test's own loop as if all had gone well.
        if (
            kind in (StopIteration, StopAsyncIteration)
            and kind.__name__ not in named_types
        ):
            continue
        try:
            return kind(*arguments)
        except Exception:
            break
    return CandidateError(str(message.get("words", "")))


def copy_changes(old: Any, new: Any) -> None:
    """Change a test's own object as a call changed its copy.

    Raises:
        TypeError: it came back as another type, which no call can do.
    """
    if type(old) is not type(new):
        raise TypeError("an argument changed its type")
    if isinstance(old, list | dict) and len(old) == len(new):
        keys = range(len(old)) if isinstance(old, list) else new
        for key in keys:
            inner = old[key] if isinstance(old, list) else old.get(key)
            if isinstance(inner, list | dict | set) and type(inner) is type(new[key]):
                copy_changes(inner, new[key])
            else:
                old[key] = new[key]
        if isinstance(old, dict):
            for key in [key for key in old if key not in new]:
                del old[key]
    elif isinstance(old, list | bytearray):
        old[:] = new
    elif hasattr(old, "clear"):  # dict, set, deque
        old.clear()
        (old.extend if hasattr(old, "extend") else old.update)(new)
    elif hasattr(old, "__dict__"):
        old.__dict__.clear()
        old.__dict__.update(new.__dict__)
