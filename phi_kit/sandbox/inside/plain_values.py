"""Plain data between two processes that do not trust each other.

Standard library only: both sides of a code item load it by its path. A value is
written as tagged JSON and rebuilt on the other side, so that nothing arrives but
plain data of exactly the known types; an object that could claim any equality stays
where it was made, and only its number is sent.

The decoder is total: any bytes give a value or MalformedError.
"""

from __future__ import annotations

import builtins
import math
import sys
import types
from itertools import islice

TYPE_CHECKING = False  # loading `typing` takes longer than a small solution
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

DEPTH = 50
# Elements taken from an iterator that is handed over whole.
_MOST = 10_000
# Relative differences (kit defaults): rounding noise, and a printed precision.
CLOSE, LOOSELY_CLOSE = 1e-9, 1e-6
_SINGLE = {"decimal.Decimal", "datetime.date", "datetime.time", "datetime.datetime"}
_VIEWS = {"dict_keys": "keys", "dict_values": "values", "dict_items": "items"}
_PLAIN = (str, bytes, bytearray, complex, float, int)
_COLLECTIONS = (list, tuple, set, frozenset)
_UNDER = (*_PLAIN, *_COLLECTIONS, dict)
METHODS = {name for kind in _UNDER for name in dir(kind)}
_TYPES = (*_PLAIN, *_COLLECTIONS, dict, bool, range, type, object, type(None))


class MalformedError(Exception):
    """A message that this module never writes."""


class UnsendableError(Exception):
    """An object that cannot leave its process."""


class Exchange:
    """One side of the exchange: the objects it keeps, and stand-ins for the others.

    Args:
        remote: builds the stand-in for an object of the other side, from its
            number, its kind and the name of its type.
        shared: looks up by name a class that both sides know; its instances are
            sent attribute by attribute.
        host: whether this side's own objects stay here as objects; without it
            only what can be called is kept, and iterators are sent whole.
        number: checks every number that comes in.
    """

    def __init__(
        self,
        remote: Callable[[int, str, str], Any],
        *,
        shared: Callable[[str], type | None] = lambda name: None,
        host: bool,
        number: Callable[[Any], Any] = lambda value: value,
    ):
        self._remote, self._shared, self._host = remote, shared, host
        self._number = number
        self._kept: list[Any] = []
        self._kept_numbers: dict[int, int] = {}
        self._stand_ins: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}

    def pack(
        self, values: list[Any], *, keep_subclasses: bool = False
    ) -> dict[str, Any]:
        """Values as JSON can carry them.

        Args:
            values: what is sent.
            keep_subclasses: instances of a subclass stay objects; else they are
                sent as the plain value underneath.

        Raises:
            UnsendableError: one of them cannot leave this process.
        """
        writer = _Encoder(self, keep_subclasses)
        sent = [writer.write(value, 0) for value in values]
        return {"v": sent, "o": writer.objects()}

    def unpack(self, message: dict[str, Any]) -> list[Any]:
        """The values of a message.

        Raises:
            MalformedError: `pack` never writes it.
        """
        try:
            reader = _Decoder(self, message.get("o", []))
            return [reader.read(sent, 0) for sent in message["v"]]
        except MalformedError:
            raise
        except Exception as error:
            raise MalformedError(type(error).__name__) from None

    def keep(self, value: Any) -> int:
        """The number by which the other side may refer to an object."""
        number = self._kept_numbers.setdefault(id(value), len(self._kept))
        if number == len(self._kept):
            self._kept.append(value)
        return number

    def kept(self, number: Any) -> Any:
        """The object of that number, by its owner."""
        if type(number) is not int or not 0 <= number < len(self._kept):
            raise MalformedError("an object nobody has")
        return self._kept[number]

    def stand_in(self, number: Any, kind: Any, name: Any) -> Any:
        """The one stand-in for an object of the other side."""
        if type(number) is not int or type(kind) is not str or type(name) is not str:
            raise MalformedError("no object")
        if number not in self._stand_ins:
            remote = self._remote(number, kind, name[:80])
            self._stand_ins[number] = remote
            self._numbers[id(remote)] = number
        return self._stand_ins[number]


class _Encoder:
    def __init__(self, exchange: Exchange, keep_subclasses: bool):
        self._exchange, self._keep_subclasses = exchange, keep_subclasses
        self._seen: dict[int, int] = {}
        self._waiting: list[Any] = []

    def write(self, value: Any, depth: int) -> list:
        kind = type(value)
        if depth > DEPTH:
            raise ValueError("too deeply nested")
        if value is None or kind is bool or kind is str:
            return ["=", value]
        if kind is int:
            return ["i", hex(value)]  # decimal digits are limited to 4300
        if kind is float:
            return ["f", value.hex()]
        if kind is complex:
            return ["c", value.real.hex(), value.imag.hex()]
        if kind is bytes or kind is bytearray:
            return [kind.__name__, value.hex()]
        if kind in _COLLECTIONS:
            return [kind.__name__, [self.write(item, depth + 1) for item in value]]
        if kind is dict:
            return ["dict", self._pairs(value.items(), depth)]
        return self._other(value, kind, depth)

    def objects(self) -> list:
        """The attributes of every shared object met, in the order of their numbers."""
        objects = []
        # Not by recursion: a linked list is deeper than any stack.
        while len(objects) < len(self._waiting):
            instance = self._waiting[len(objects)]
            pairs = [
                [name, self.write(value, 1)]
                for name, value in _attributes(instance).items()
            ]
            objects.append([type(instance).__name__, pairs])
        return objects

    def _pairs(self, pairs: Any, depth: int) -> list:
        write = self.write
        return [
            [write(key, depth + 1), write(value, depth + 1)] for key, value in pairs
        ]

    def _other(self, value: Any, kind: type, depth: int) -> list:
        exchange = self._exchange
        if id(value) in exchange._numbers:
            return ["^", exchange._numbers[id(value)]]
        if kind is type and getattr(builtins, value.__name__, None) is value:
            return ["b", value.__name__]
        if exchange._shared(kind.__name__) is not None and not issubclass(kind, _UNDER):
            if type(getattr(kind, "__members__", None)) is types.MappingProxyType:
                return ["e", kind.__name__, value.name]
            index = self._seen.setdefault(id(value), len(self._waiting))
            if index == len(self._waiting):
                self._waiting.append(value)
            return ["o", index]
        sent = self._known(value, kind, depth)
        if sent is None and not self._keep_subclasses:
            sent = self._plainly(value, kind, depth)
        return sent if sent is not None else self._kept(value, kind)

    def _known(self, value: Any, kind: type, depth: int) -> list | None:
        """A value of a type of the standard library."""
        name = f"{kind.__module__}.{kind.__qualname__}"
        if kind is range:
            return ["range", *map(hex, (value.start, value.stop, value.step))]
        if kind.__module__ == "builtins" and kind.__name__ in _VIEWS:
            pairs = kind.__name__ == "dict_items"
            items = [tuple(item) for item in value] if pairs else list(value)
            sent = [self.write(item, depth + 1) for item in items]
            return [_VIEWS[kind.__name__], sent]
        if _library(name) is not kind:
            return None
        if name in _SINGLE:
            return ["t", name, str(value) if "Dec" in name else value.isoformat()]
        if name == "datetime.timedelta":
            sizes = (value.days, value.seconds, value.microseconds)
            return ["t", name, *map(hex, sizes)]
        if name == "fractions.Fraction":
            return ["t", name, hex(value.numerator), hex(value.denominator)]
        if name == "collections.deque":
            size = value.maxlen
            sent = [self.write(item, depth + 1) for item in value]
            return ["t", name, sent, None if size is None else hex(size)]
        if name in ("collections.Counter", "collections.OrderedDict"):
            return ["t", name, self._pairs(value.items(), depth)]
        if name == "collections.defaultdict":
            return ["dict", self._pairs(value.items(), depth)]
        return None

    def _plainly(self, value: Any, kind: type, depth: int) -> list | None:
        """An instance of a subclass: the plain value it is underneath."""
        fields = getattr(kind, "_fields", None)
        if isinstance(value, tuple) and type(fields) is tuple:
            items = [self.write(item, depth + 1) for item in tuple.__iter__(value)]
            return ["n", kind.__name__, list(fields), items]
        for base in _PLAIN:
            if issubclass(kind, base):
                return self.write(base(_base(base, value)), depth)
        for base in _COLLECTIONS:
            if issubclass(kind, base):
                return self.write(base(base.__iter__(value)), depth)
        if issubclass(kind, dict):
            return self.write(dict(dict.items(value)), depth)
        return None

    def _kept(self, value: Any, kind: type) -> list:
        exchange, name = self._exchange, kind.__name__[:80]
        if not exchange._host:
            if hasattr(kind, "__next__"):
                items = list(islice(value, _MOST + 1))
                if len(items) > _MOST:
                    raise UnsendableError("an iterator without an end")
                return ["iter", [self.write(item, 1) for item in items]]
            if not callable(value):
                raise UnsendableError(f"an object of type {name}")
            if getattr(builtins, getattr(value, "__name__", ""), None) is value:
                return ["b", value.__name__]
        sort = "callable" if callable(value) else "object"
        if isinstance(value, type):
            sort, name = "class", value.__name__[:80]
        elif hasattr(kind, "__next__"):
            sort = "iterator"
        elif name == "coroutine":
            sort = name
        return ["@", exchange.keep(value), sort, name]


class _Decoder:
    def __init__(self, exchange: Exchange, objects: Any):
        self._exchange, self._made = exchange, []
        for name, _ in objects:
            kind = exchange._shared(name) if type(name) is str else None
            if kind is None:
                raise MalformedError("a class nobody knows")
            self._made.append(kind.__new__(kind))
        for instance, (_, pairs) in zip(self._made, objects, strict=True):
            for name, sent in pairs:
                _put(instance, name, self.read(sent, 1))

    def read(self, sent: Any, depth: int) -> Any:
        if type(sent) is not list or depth > DEPTH + 1:
            raise MalformedError("no value")
        tag, *rest = sent
        if tag == "=":
            if rest[0] is not None and type(rest[0]) not in (bool, str):
                raise MalformedError("no plain value")
            return rest[0]
        if tag in ("i", "f", "c"):
            return self._exchange._number(_NUMBERS[tag](*rest))
        if tag in ("list", "tuple", "set", "frozenset", "iter", *_VIEWS.values()):
            return _BUILD[tag]([self.read(item, depth + 1) for item in rest[0]])
        if tag == "dict":
            return self._pairs(rest[0], depth)
        if tag in ("bytes", "bytearray"):
            return _BUILD[tag].fromhex(rest[0])
        if tag == "range":
            return range(*(int(item, 16) for item in rest))
        return self._rare(tag, rest, depth)

    def _pairs(self, pairs: Any, depth: int) -> dict:
        read = self.read
        return {read(key, depth + 1): read(value, depth + 1) for key, value in pairs}

    def _rare(self, tag: str, rest: list, depth: int) -> Any:
        exchange = self._exchange
        if tag == "@":
            return exchange.stand_in(*rest)
        if tag == "^":
            return exchange.kept(*rest)
        if tag == "o":
            if type(rest[0]) is not int or rest[0] < 0:
                raise MalformedError("no object")
            return self._made[rest[0]]
        if tag == "e":
            return exchange._shared(rest[0]).__members__[rest[1]]
        if tag == "b":
            return self._builtin(rest[0])
        if tag == "n":
            from collections import namedtuple

            name, fields, sent = rest
            values = [self.read(value, depth + 1) for value in sent]
            for field, value in zip(fields, values, strict=True):
                _refuse_method(field, value)
            return namedtuple(name, fields)(*values)
        if tag == "t":
            return self._single(rest, depth)
        raise MalformedError("an unknown value")

    def _builtin(self, name: str) -> Any:
        value = getattr(builtins, name)
        # From a solution only what says nothing when it is called by mistake.
        if not self._exchange._host and value not in _TYPES:
            raise MalformedError("no plain value")
        return value

    def _single(self, rest: list, depth: int) -> Any:
        name, *parts = rest
        kind = _library(name, load=True)
        if name in _SINGLE:
            value = kind(parts[0]) if "Dec" in name else kind.fromisoformat(parts[0])
            return self._exchange._number(value) if "Dec" in name else value
        if name in ("datetime.timedelta", "fractions.Fraction"):
            return kind(*(int(part, 16) for part in parts))
        if name == "collections.deque":
            items = [self.read(part, depth + 1) for part in parts[0]]
            return kind(items, None if parts[1] is None else int(parts[1], 16))
        return kind(self._pairs(parts[0], depth))


_NUMBERS: dict[str, Callable[..., Any]] = {
    "i": lambda text: int(text, 16),
    "f": float.fromhex,
    "c": lambda real, imag: complex(float.fromhex(real), float.fromhex(imag)),
}
_BUILD: dict[str, Any] = {
    kind.__name__: kind for kind in (*_COLLECTIONS, bytes, bytearray)
}
_BUILD |= {
    "iter": iter,
    "keys": lambda items: dict.fromkeys(items).keys(),
    "values": lambda items: dict(enumerate(items)).values(),
    "items": lambda items: dict(items).items(),
}
_LIBRARY = {
    *_SINGLE,
    *("datetime.timedelta", "fractions.Fraction", "collections.deque"),
    *("collections.Counter", "collections.OrderedDict", "collections.defaultdict"),
}


def _library(name: Any, *, load: bool = False) -> Any:
    """A class of the standard library by name, one of the few we know."""
    if name not in _LIBRARY:
        if load:
            raise MalformedError("an unknown type")
        return None
    module, _, kind = name.partition(".")
    if load:
        __import__(module)
    return getattr(sys.modules.get(module), kind, None)


def _base(base: type, value: Any) -> Any:
    """The plain value under a subclass, whatever its own methods say."""
    if base is int:
        return int.__int__(value)
    if base is float:
        return float.__float__(value)
    if base is complex:
        return complex.__complex__(value)
    return str.__str__(value) if base is str else bytes.join(b"", [value])


def _attributes(value: Any) -> dict[str, Any]:
    attributes = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name) and name not in ("__dict__", "__weakref__"):
                attributes[name] = getattr(value, name)
    return attributes


def _refuse_method(name: Any, value: Any) -> None:
    """What a test calls on a plain value must not be a solution's function."""
    if callable(value) and name in METHODS:
        raise MalformedError("a plain value's method")


def _put(instance: Any, name: Any, value: Any) -> None:
    """Set an attribute that is data; what the class itself does stays its own."""
    own = getattr(type(instance), name, None)
    slot = type(own).__name__ == "member_descriptor"
    if name.startswith("__") or (
        (callable(own) or hasattr(own, "__get__")) and not slot
    ):
        raise MalformedError("no attribute of data")
    _refuse_method(name, value)
    object.__setattr__(instance, name, value)


def same_value(a: Any, b: Any, *, loosely: bool = False) -> Any:
    """Equality of plain data, by type: `True` is not `1`, a list no tuple.

    Floats may differ by rounding. Loosely, lists and tuples are one, `True`
    is `1`, and floats agree to a printed precision.
    """
    kind = type(a)
    if kind is type(b) and (kind is int or kind is str):
        return a == b
    if _number(a) and _number(b):
        if not loosely and (kind is bool) != (type(b) is bool):
            return False
        return _close(a, b, LOOSELY_CLOSE if loosely else CLOSE)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        alike = loosely or isinstance(a, list) == isinstance(b, list)
        return (
            alike
            and len(a) == len(b)
            and all(
                same_value(x, y, loosely=loosely) for x, y in zip(a, b, strict=True)
            )
        )
    if isinstance(a, dict) and isinstance(b, dict):
        others = {_key(key, loosely): value for key, value in b.items()}
        return len(a) == len(b) and all(
            _key(key, loosely) in others
            and same_value(value, others[_key(key, loosely)], loosely=loosely)
            for key, value in a.items()
        )
    if isinstance(a, set | frozenset) and isinstance(b, set | frozenset):
        return {_key(item, loosely) for item in a} == {
            _key(item, loosely) for item in b
        }
    return a == b


def _key(value: Any, loosely: bool) -> Any:
    """A hashable value so that only what is `same` is one key."""
    if isinstance(value, tuple):
        return ("tuple", *(_key(item, loosely) for item in value))
    if isinstance(value, frozenset):
        return ("set", frozenset(_key(item, loosely) for item in value))
    if type(value) is bool and not loosely:
        return ("bool", value)
    return value


def _number(value: Any) -> bool:
    return type(value) in (int, float, complex, bool)


def _close(a: Any, b: Any, tolerance: float) -> bool:
    if a == b:
        return True
    if isinstance(a, int) and isinstance(b, int):
        return False
    try:
        if isinstance(a, complex) or isinstance(b, complex):
            gap, size = abs(a - b), max(abs(a), abs(b))
            return math.isfinite(size) and gap <= tolerance * size
        return math.isclose(a, b, rel_tol=tolerance)
    except OverflowError:  # beyond every float
        return False
