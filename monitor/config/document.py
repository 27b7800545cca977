"""A YAML document with the line of every key, read within limits.

Only what JSON also has: mappings with text keys, lists, text, numbers, true, false, null. YAML 1.1's
surprises (`no` is false, `1:30` is 90, dates) stay text, and no tag makes an object.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from monitor.config.errors import ConfigError, ConfigErrors, KeyPath, written

MAX_BYTES = 1 << 20
MAX_NODES = 100_000
"""With aliases counted as often as they are used."""
MAX_DEPTH = 32

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Only numbers that are written as we would write them: a selector such as `0123` or `1.10` stays text.
_INT = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]{0,8})\.([0-9]{0,8}[1-9]|0)")
_CONSTANTS = {"true": True, "false": False, "null": None, "~": None, "": None}
_ALLOWED_TAGS = {None, "!", "tag:yaml.org,2002:str"}


@dataclass(slots=True)
class Node:
    """A value and the line that it starts on. `size` counts its nodes, `height` its levels.

    `keys` are the lines of the keys where `value` is a mapping of nodes.
    """

    line: int
    value: Any
    size: int = 1
    height: int = 1
    keys: dict[str, int] = field(default_factory=dict)

    def plain(self) -> Any:
        """The value without lines."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def line_of(self, path: KeyPath) -> int:
        """The line of the key (or list item) at `path`, or of the nearest thing around it that exists."""
        node, line = self, self.line
        for part in path:
            if isinstance(node.value, dict) and part in node.value:
                line, node = node.keys[str(part)], node.value[part]
            elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.line
            else:
                break
        return line


def parse(data: bytes, file: str) -> Node:
    """The document.

    Raises:
        ConfigErrors: not UTF-8, a syntax error, a duplicate key, a tag, too large (`MAX_…`).
    """
    if len(data) > MAX_BYTES:
        raise ConfigErrors([ConfigError(file, None, "", f"is larger than {MAX_BYTES} bytes")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigErrors([ConfigError(file, line, "", "is not UTF-8 text")]) from None
    return _Builder(file).build(text)


class _Builder:
    """Builds nodes from the parser's events, so that limits hold before anything is large."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._anchors: dict[str, Node] = {}
        self._count = 0
        self._duplicates: list[ConfigError] = []

    def build(self, text: str) -> Node:
        try:
            root = self._document(yaml.parse(text, Loader=_Loader))
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise self._error(line, "has a character that YAML does not allow") from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self._error(mark.line + 1 if mark else 1, _problem(error)) from None
        if self._duplicates:
            raise ConfigErrors(self._duplicates)
        return root

    def _document(self, events: Iterator[yaml.Event]) -> Node:
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root:
                    raise self._error(_line(event), "has more than one YAML document")
                root = self._node(next(events), events, 1, ())
        return root or Node(1, None)

    def _node(
        self, event: yaml.Event, events: Iterator[yaml.Event], depth: int, path: KeyPath
    ) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        self._measure(event, 1, depth)
        if not isinstance(
            event, yaml.ScalarEvent | yaml.SequenceStartEvent | yaml.MappingStartEvent
        ):
            raise self._error(_line(event), "is no YAML")
        if event.tag not in _ALLOWED_TAGS:
            raise self._error(
                _line(event), "has a tag (a word with `!`); quote text that starts with `!`"
            )
        node = Node(_line(event), None)
        if isinstance(event, yaml.ScalarEvent):
            node.value = _scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._sequence(node, events, depth, path)
        else:
            self._mapping(node, events, depth, path)
        if event.anchor:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: yaml.AliasEvent, depth: int) -> Node:
        node = self._anchors.get(event.anchor or "")
        if not node:
            raise self._error(
                _line(event),
                "has an alias (a word with `*`) to nothing; quote text that starts with `*`",
            )
        self._measure(event, node.size, depth + node.height - 1)
        return node

    def _sequence(
        self, node: Node, events: Iterator[yaml.Event], depth: int, path: KeyPath
    ) -> None:
        node.value = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            child = self._node(event, events, depth + 1, (*path, len(node.value)))
            node.value.append(child)
            _grow(node, child)

    def _mapping(self, node: Node, events: Iterator[yaml.Event], depth: int, path: KeyPath) -> None:
        node.value = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._error(_line(event), "has a key that is no text")
            key, line = str(event.value), _line(event)
            self._measure(event, 1, depth + 1)
            child = self._node(next(events), events, depth + 1, (*path, key))
            _grow(node, child)
            node.size += 1
            if key in node.value:
                message = f"occurs twice, first on line {node.keys[key]}"
                self._duplicates.append(
                    ConfigError(self._file, line, written((*path, key)), message)
                )
            else:
                node.value[key], node.keys[key] = child, line

    def _measure(self, event: yaml.Event, nodes: int, depth: int) -> None:
        self._count += nodes
        if self._count > MAX_NODES:
            raise self._error(_line(event), f"has more than {MAX_NODES} values with its aliases")
        if depth > MAX_DEPTH:
            raise self._error(_line(event), f"is nested deeper than {MAX_DEPTH} levels")

    def _error(self, line: int, message: str) -> ConfigErrors:
        return ConfigErrors([ConfigError(self._file, line, "", message)])


def _grow(node: Node, child: Node) -> None:
    node.size += child.size
    node.height = max(node.height, child.height + 1)


def _line(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1 if event.start_mark else 1


def _scalar(event: yaml.ScalarEvent) -> Any:
    text = str(event.value)
    # The style of a plain scalar is "" to libyaml, which leaves numbers to the validation, and None to PyYAML.
    if not event.style and event.tag is None and text in {"null", "~"}:
        return None
    if event.style is not None or event.tag is not None:
        return text
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _problem(error: yaml.MarkedYAMLError) -> str:
    """The parser's words without the document's own: what is quoted there may be a secret."""
    problem = re.sub("'([^']*)'", _own_word, error.problem or "cannot be read")
    return f"YAML syntax: {problem}"


def _own_word(quoted: re.Match[str]) -> str:
    """A character or a `<token>` is the parser's own word."""
    word = quoted[1]
    return quoted[0] if len(word) <= 1 or word.startswith("<") else "a word"
