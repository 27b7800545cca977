"""Secrets by reference: `${NAME}` from the environment, `file:PATH` from a file."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, SecretStr

from monitor.config.errors import KeyPath

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MAX_SECRET = 64 * 1024
_LISTS = (list, tuple, Sequence, set, frozenset)
_MAPPINGS = (dict, Mapping)


def resolve_secrets(
    data: Any, model: type[BaseModel], environ: Mapping[str, str], folder: Path
) -> tuple[Any, list[tuple[KeyPath, str]]]:
    """`data` with the value in place of each reference that stands where `model` has a secret.

    Text that is no reference is the secret itself. The errors have a path and a message that names
    the variable or the file, never the value.
    """
    errors: list[tuple[KeyPath, str]] = []
    for path, text in dict(_secrets(model, data, ())).items():
        try:
            data = _replaced(data, path, _value(text, environ, folder))
        except ValueError as error:
            errors.append((path, str(error)))
    return data, errors


def _value(text: str, environ: Mapping[str, str], folder: Path) -> str:
    if text.startswith("file:"):
        return _file(folder / text.removeprefix("file:"))
    if not text.startswith("${"):
        return text
    found = _VARIABLE.fullmatch(text)
    if not found:
        raise ValueError("is no reference: write ${NAME} and nothing else")
    value = environ.get(found[1], "")
    if not value:
        raise ValueError(f"the environment variable {found[1]} is not set or empty")
    return value


def _file(path: Path) -> str:
    try:
        if not path.is_file():
            raise ValueError(f"the secret's file {path} is not there or is no regular file")
        with path.open("rb") as file:
            data = file.read(_MAX_SECRET + 1)
    except OSError as error:
        raise ValueError(f"the secret's file {path} cannot be read: {error.strerror}") from None
    try:
        value = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"the secret's file {path} is not UTF-8 text") from None
    if not value or len(data) > _MAX_SECRET:
        raise ValueError(f"the secret's file {path} is empty or larger than {_MAX_SECRET} bytes")
    return value


def _secrets(kind: Any, value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Every text in `value` at a place that the type `kind` has for a secret."""
    if kind is SecretStr and isinstance(value, str):
        yield path, value
    for inner_kind, inner, more in _parts(kind, value):
        yield from _secrets(inner_kind, inner, path + more)


def _parts(kind: Any, value: Any) -> Iterable[tuple[Any, Any, KeyPath]]:
    """The types inside `kind`, each with the value that it is for and the path to that."""
    origin, args = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields if isinstance(value, dict) else {}
        return [(fields[n].annotation, value[n], (n,)) for n in fields if n in value]
    if isinstance(value, list) and origin in _LISTS:
        return [(args[0], inner, (index,)) for index, inner in enumerate(value)]
    if isinstance(value, dict) and origin in _MAPPINGS:
        return [(args[1], inner, (key,)) for key, inner in value.items()]
    # A union, an Annotated, or one item where a list is meant.
    return [(each, value, ()) for each in args]


def _replaced(data: Any, path: KeyPath, value: str) -> Any:
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(data, list):
        return [
            _replaced(inner, rest, value) if i == first else inner for i, inner in enumerate(data)
        ]
    return {**data, first: _replaced(data[first], rest, value)}
