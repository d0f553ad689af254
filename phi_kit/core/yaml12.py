"""YAML 1.2 within bounds: no few lines of text take minutes or gigabytes.

`1e-5` is a number, `no` and `2026-01-01` are words. An alias may stand for what it
names as often as it likes, as long as all of it together stays small.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, StringMark
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.tag import Tag

MOST_BYTES = 200_000
MOST_NODES = 20_000  # keys and values, an alias counting as all it stands for
DEEPEST = 40
_LARGEST = 2**63 - 1  # what tables, random numbers and databases can hold
_DIRECTIVE = re.compile(r"(\s*(#.*)?\n)*%")
_DEEP = re.compile(rf"([\[{{]\s*){{{DEEPEST + 1}}}")
_TAG = "tag:yaml.org,2002:"
MERGE = f"{_TAG}merge"
_SCALARS = {f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null")}
# A date, a `=` and a `<<` that merges nothing are words in YAML 1.2.
_WORDS = {f"{_TAG}{name}" for name in ("timestamp", "value", "merge")}
_WHATS = {"int": "a whole number", "float": "a number", "bool": "true or false"}


class TooLargeError(MarkedYAMLError):
    """A document beyond the bounds."""


class _Composer(Composer):
    """Stops where a document gets too large or too deep, aliases written out."""

    def __init__(self, loader: Any = None):
        super().__init__(loader=loader)
        self.warn_double_anchors = False
        self.sizes: dict[int, tuple[int, int]] = {}  # (nodes, levels) of whole nodes
        self.level = self.seen = 0

    def compose_node(self, parent: Any, index: Any) -> Node:
        """As the parent's, and weighed."""
        event = self.parser.peek_event()
        self.level, self.seen = self.level + 1, self.seen + 1
        self._within(self.seen, self.level, event.start_mark)
        node = super().compose_node(parent, index)
        self.level -= 1
        if isinstance(event, AliasEvent) and id(node) not in self.sizes:
            text = f"*{event.anchor} stands inside what it names"
            raise TooLargeError(problem=text, problem_mark=event.start_mark)
        self._weigh(node, event.start_mark)
        return node

    def _weigh(self, node: Node, mark: StringMark) -> None:
        if id(node) in self.sizes:
            return
        inside = [self.sizes[id(child)] for child in _children(node)]
        nodes = 1 + sum(count for count, _ in inside)
        levels = 1 + max((depth for _, depth in inside), default=0)
        self._within(nodes, levels, mark)
        self.sizes[id(node)] = nodes, levels

    def _within(self, nodes: int, levels: int, mark: StringMark) -> None:
        text = ""
        if levels > DEEPEST:
            text = f"lists and mappings lie more than {DEEPEST} deep"
        elif nodes > MOST_NODES:
            text = f"has more than {MOST_NODES:,} keys and values, aliases written out"
        if text:
            raise TooLargeError(problem=text, problem_mark=mark)


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, SequenceNode):
        yield from node.value


class Document:
    """A parsed text: its nodes, and what it means.

    Args:
        text: YAML.
        twice: let a key stand twice; the caller says where all of those are.

    Raises:
        YAMLError: it is none, or is too large.
    """

    def __init__(self, text: str, *, twice: bool = False):
        yaml = YAML(typ="safe", pure=True)
        yaml.allow_duplicate_keys = twice
        yaml.Composer = _Composer
        if len(text) > MOST_BYTES:
            raise TooLargeError(problem=f"has more than {MOST_BYTES:,} characters")
        if _DIRECTIVE.match(text):
            raise YAMLError("begins with a % line; YAML 1.2 is read, without one")
        try:
            self._constructor, _ = yaml.get_constructor_parser(text)
            self.root: Node | None = self._constructor.composer.get_single_node()
        except YAMLError:
            raise
        except Exception as error:  # the library trips over some broken texts
            raise YAMLError("is broken in a way that its reader trips over") from error

    def oddities(self) -> list[tuple[int, str]]:
        """What is YAML, yet nothing a study could mean; with the lines.

        The document goes on without the keys that hold it, so that what is wrong
        with the others can be said as well.
        """
        found: list[tuple[int, str]] = []
        known: dict[int, bool] = {}
        if self.root is not None and self._prune(self.root, found, known):
            self.root = None
        return found

    def _prune(
        self, node: Node, found: list[tuple[int, str]], known: dict[int, bool]
    ) -> bool:
        """Take out what is odd below a node; whether it is odd itself."""
        if id(node) in known:
            return known[id(node)]
        said = self._odd(node)
        found += [(node.start_mark.line + 1, said)] if said else []
        odd = bool(said)
        if isinstance(node, SequenceNode):
            items = [self._prune(one, found, known) for one in node.value]
            odd |= any(items)
        elif isinstance(node, MappingNode):
            kept = []
            for key, value in node.value:
                wrong = _odd_key(key, value)
                if not wrong and key.tag != MERGE:
                    wrong = self._odd(key)
                found += [(key.start_mark.line + 1, wrong)] if wrong else []
                if not self._prune(value, found, known) and not wrong:
                    kept.append((key, value))
            node.value = kept
        known[id(node)] = odd
        return odd

    def _odd(self, node: Node) -> str:
        kind = str(node.tag)
        if isinstance(node, ScalarNode):
            if kind in _WORDS:
                node.ctag = Tag(suffix=f"{_TAG}str")
                kind = f"{_TAG}str"
            if kind in _SCALARS:
                return self._odd_scalar(node, kind.removeprefix(_TAG))
        elif kind == f"{_TAG}{'map' if isinstance(node, MappingNode) else 'seq'}":
            return ""
        return f"the tag {shown(kind.replace(_TAG, '!!'))} means nothing here"

    def _odd_scalar(self, node: ScalarNode, kind: str) -> str:
        if kind == "str":
            return _odd_text(node.value)
        try:
            value = self._constructor.construct_object(node, deep=True)
        except (YAMLError, ValueError, TypeError, LookupError, AttributeError):
            value = None
        if type(value) is int and abs(value) <= _LARGEST:
            return ""
        if kind == "int" and len(node.value) > 18:
            return f"a whole number of {len(node.value):,} digits; up to 18 are taken"
        if value is None and kind != "null":
            return f"{shown(node.value) or 'nothing'} is not {_WHATS[kind]}"
        return ""

    def value(self) -> Any:
        """The text's meaning as Python knows it; first look for `oddities`.

        Raises:
            YAMLError: it cannot be said, for instance because of oddities.
        """
        if self.root is None:
            return None
        try:
            return self._constructor.construct_document(self.root)
        except YAMLError:
            raise
        except Exception as error:
            raise YAMLError(f"cannot be read: {error}") from error


def load(text: str) -> Any:
    """What a short text means.

    Raises:
        YAMLError: it is not YAML, or nothing a parameter could be.
    """
    if _DEEP.search(text):  # said at once, not after a second of scanning
        raise TooLargeError(problem=f"more than {DEEPEST} brackets deep")
    document = Document(text)
    if odd := document.oddities():
        raise YAMLError(odd[0][1])
    return document.value()


def fault(error: YAMLError, text: str) -> tuple[int, str]:
    """The line of what a text stumbles over, and one line that says it."""
    if isinstance(error, ReaderError):
        char = chr(error.character)
        line = text.partition(char)[0].count("\n") + 1
        return line, f"is not YAML: the character {char!a} cannot stand in it"
    if not isinstance(error, MarkedYAMLError):
        return 1, _one_line(f"is not YAML: {error}")
    mark = error.problem_mark or error.context_mark
    said = [part for part in (error.context, error.problem) if part]
    what = "" if isinstance(error, TooLargeError) else "is not YAML: "
    return (mark.line + 1 if mark else 1), _one_line(what + ", ".join(said))


def shown(text: str, *, most: int = 60) -> str:
    """A word of a file as one may print it: short, and without control codes."""
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: most + 1])
    return text if len(text) <= most else f"{text[:most]}…"


def _one_line(text: str) -> str:
    return shown(" ".join(text.split()), most=300)


def _odd_text(text: str) -> str:
    for char in text:
        kind = unicodedata.category(char)
        if kind == "Cs":
            return f"{char!a} is half a character"
        if kind == "Cc" and char not in "\n\r\t":
            return f"{char!a} is a control character"
    return ""


def _odd_key(key: Node, value: Node) -> str:
    """What is wrong with a key as such; its text is looked at as a node."""
    kind = str(key.tag).removeprefix(_TAG)
    if not isinstance(key, ScalarNode):
        return "a key should be a word, not a list or a mapping"
    if key.tag == MERGE:
        inside = value.value if isinstance(value, SequenceNode) else [value]
        if all(isinstance(one, MappingNode) for one in inside):
            return ""
        return "<< should be followed by a mapping, such as an alias of one"
    if kind == "null":
        return "a key is missing"
    if kind in _WHATS:
        return f"the key {shown(key.value)} is {_WHATS[kind]}; put it in quotes"
    return ""
