"""Reads the catalogue's files; what is wrong with one is told with its file and line."""

from collections.abc import Iterator, Sequence
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from monitor.protocol.problem import quoted

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Model = TypeVar("_Model", bound=BaseModel)


class CatalogueError(Exception):
    """A file of the catalogue that cannot be used: `zones.yaml:12: …`."""


def read(file: Traversable, model: type[_Model]) -> _Model:
    """The file's content.

    Raises:
        CatalogueError: it is no YAML, has a key twice, or is not what `model` says.
    """
    try:
        text = file.read_text("utf-8")
        root = yaml.compose(text, Loader=_Loader)
        if twice := next(_twice(root), None):
            line = twice.start_mark.line + 1
            raise CatalogueError(
                f"{file.name}:{line}: the key {quoted(twice.value)} is there twice"
            )
        return model.model_validate(yaml.load(text, Loader=_Loader))  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CatalogueError(f"{file.name}:{line}: is no YAML: {error.problem}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        line = _line(root, first["loc"])
        raise CatalogueError(f"{file.name}:{line}: {where}: {message}") from error
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise CatalogueError(f"{file.name} cannot be read: {error}") from error


def _twice(root: yaml.Node | None) -> Iterator[yaml.Node]:
    """The keys that stand twice in one mapping: YAML lets the second take the first one's place."""
    left, visited = [root], set()
    while left:
        node = left.pop()
        if (
            node is None or id(node) in visited
        ):  # an alias leads to a node again, even to one around it
            continue
        visited.add(id(node))
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in seen:
                        yield key
                    seen.add(key.value)
                left.append(value)
        elif isinstance(node, yaml.SequenceNode):
            left += node.value


def _line(node: yaml.Node | None, path: Sequence[str | int]) -> int:
    """The line of what stands at this path, or of the nearest thing around it that exists."""
    line = node.start_mark.line if node else 0
    for part in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line
        elif isinstance(node, yaml.MappingNode):
            found = [pair for pair in node.value if pair[0].value == str(part)]
            if not found:
                break
            key, node = found[0]
            line = key.start_mark.line
    return line + 1
