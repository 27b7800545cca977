"""Bodies of requests: inflated within a limit, read as JSON, whatever they contain."""

import json
import zlib
from typing import Any, Final, NoReturn

BODY_LIMIT: Final = 5 * 1024 * 1024
"""Bytes of a request's body, as sent and inflated."""

_GZIP: Final = 31
"""zlib's `wbits` for a gzip header and trailer and the largest window."""


class TooLargeError(Exception):
    """The body is larger than the limit."""


class MalformedError(Exception):
    """The body is not what it says. The text quotes nothing of it."""


class UnknownEncodingError(Exception):
    """A Content-Encoding that is not gzip."""


def inflated(body: bytes, content_encoding: str, *, limit: int = BODY_LIMIT) -> bytes:
    """The body without its Content-Encoding; never more than `limit` bytes are made of it.

    Raises TooLargeError, MalformedError, UnknownEncodingError.
    """
    if len(body) > limit:
        raise TooLargeError(f"the body is larger than {limit} bytes")
    encoding = content_encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise UnknownEncodingError("the only Content-Encoding understood is gzip")
    stream = zlib.decompressobj(_GZIP)
    try:
        # Counts what really comes out: what a gzip trailer says of its size is the sender's word.
        plain = stream.decompress(body, limit + 1)
    except zlib.error as error:
        raise MalformedError("the body is not gzip") from error
    if len(plain) > limit:
        raise TooLargeError(f"the inflated body is larger than {limit} bytes")
    if not stream.eof or stream.unused_data:
        raise MalformedError("the body is not one whole gzip stream")
    return plain


def json_value(text: str) -> Any:
    """The JSON value. Raises MalformedError: also for NaN, numbers of thousands of digits, and endless depth."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise MalformedError("the body is not JSON") from error


def utf8(body: bytes) -> str:
    """The text. Raises MalformedError."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedError("the body is not UTF-8") from error


def items_of(value: Any) -> list[Any]:
    """The events of a JSON object or array. Raises MalformedError for any other value."""
    if isinstance(value, dict):
        return [value]
    if isinstance(value, list):
        return value
    raise MalformedError("the body is neither a JSON object nor an array of them")


def _no_number(_name: str) -> NoReturn:
    raise ValueError("not a number of JSON")
