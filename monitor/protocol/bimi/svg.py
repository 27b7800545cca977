"""The logo: SVG Tiny Portable/Secure (draft-svg-tiny-ps-abrotman-10), read without risk.

A document type declaration ends the reading: there are no entities to expand, nothing is fetched,
and size, depth and number of elements are bounded.
"""

import hashlib
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers import expat

from monitor.protocol.problem import Problem, quoted

MAX_BYTES = 32 * 1024
"""What a logo may have, uncompressed (§2.4; Gmail and Apple refuse more)."""
MOST_READ = 128 * 1024
"""Beyond that a file is not read at all, compressed or not."""

_NAMESPACE = "http://www.w3.org/2000/svg"
_XML = "http://www.w3.org/XML/1998/namespace"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_CHILD = 2  # the depth of what stands directly in the root
_DEEPEST = 64
_MOST_ELEMENTS = 10_000
_MOST_PROBLEMS = 16
# What expat decodes itself; Python would look for any other codec by its name.
_ENCODINGS = frozenset({"utf-8", "utf-16", "iso-8859-1", "us-ascii"})
# §7: the elements of the profile's schema. Script, animation, links, multimedia, raster images and
# foreign content (§2.3) are not among them.
_ELEMENTS = frozenset(
    re.split(
        r"\s+",
        "svg title desc metadata g defs use path rect circle ellipse line polyline polygon text textArea"
        " linearGradient radialGradient stop solidColor font font-face glyph missing-glyph hkern",
    )
)
# §2.3: attributes of the root that have one value where they stand at all.
_ONLY_VALUES = {
    "zoomAndPan": "disable",
    "externalResourcesRequired": "false",
    "focusable": "false",
    "snapshotTime": "none",
    "playbackOrder": "all",
    "timelineBegin": "onLoad",
}
_URL = re.compile(r"url\s*\(\s*['\"]?\s*(.?)", re.IGNORECASE)
_SEPARATOR = re.compile(r"[\s,]+")


@dataclass(frozen=True, slots=True)
class Svg:
    """What a file is, as a logo.

    Attributes:
        version, base_profile, title: of the document, "" where absent.
        view_box: min-x, min-y, width, height; None where absent or malformed.
        attributes: all of the root element, by local name.
        size: bytes, uncompressed.
        sha256: of the uncompressed bytes, in hexadecimal.
        problems: what makes receivers refuse it. Codes: ``size``, ``gzip``, ``not_svg``, ``doctype``,
            ``too_complex``, ``namespace``, ``base_profile``, ``version``, ``title``, ``position``
            (x or y on the root), ``view_box``, ``element``, ``attribute``, ``script``, ``reference``.
        advice: what only looks worse. Codes: ``square``, ``relative_size``.
    """

    version: str = ""
    base_profile: str = ""
    title: str = ""
    view_box: tuple[float, float, float, float] | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    size: int = 0
    sha256: str = ""
    problems: tuple[Problem, ...] = ()
    advice: tuple[Problem, ...] = ()


class _Stop(Exception):  # noqa: N818 -- ends the reading, whatever for
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(code, message)


def read_svg(data: bytes) -> Svg:
    """What is wrong with a logo, SVG or SVGZ (RFC 1952). Never raises."""
    try:
        document = _unpacked(data)
    except _Stop as stop:
        return Svg(size=len(data), problems=(stop.problem,))
    reader = _Reader()
    try:
        reader.read(document)
    except _Stop as stop:
        reader.problem(stop.problem.code, str(stop))
    return reader.judged(document)


def _unpacked(data: bytes) -> bytes:
    if not data.startswith(b"\x1f\x8b"):
        if len(data) > MOST_READ:
            raise _Stop("size", f"{len(data)} bytes are more than {MAX_BYTES}")
        return data
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        document = unpacker.decompress(data, MOST_READ + 1)
    except zlib.error as error:
        raise _Stop("gzip", f"not a gzip file: {error}") from None
    if len(document) > MOST_READ:
        raise _Stop("size", f"more than {MOST_READ} bytes uncompressed, {MAX_BYTES} are allowed")
    if not unpacker.eof or unpacker.unused_data:
        raise _Stop("gzip", "the gzip file is cut short, or something follows it")
    return document


class _Reader:
    """Walks through a document once and keeps what was found."""

    def __init__(self) -> None:
        self._problems: dict[str, Problem] = {}
        self._root: dict[str, str] | None = None
        self._namespace = _NAMESPACE
        self._titles: list[str] = []
        self._in_title = False
        self._depth = 0
        self._elements = 0
        self._metadata_depth = 0

    def problem(self, code: str, message: str) -> None:
        """Note it once, and not without end."""
        if len(self._problems) < _MOST_PROBLEMS:
            self._problems.setdefault(message, Problem(code, message))

    def read(self, document: bytes) -> None:
        """Raises _Stop."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._doctype
        parser.ProcessingInstructionHandler = self._instruction
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        try:
            parser.Parse(document, True)
        except (expat.ExpatError, ValueError) as error:
            raise _Stop("not_svg", f"not well-formed XML: {error}") from None

    def _declaration(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise _Stop("not_svg", f"encoding {quoted(encoding)} is not UTF-8")

    def _doctype(self, *_: object) -> NoReturn:
        raise _Stop("doctype", "a document type declaration: entities and DTDs are not allowed")

    def _instruction(self, target: str, _data: str) -> None:
        self.problem("reference", f"processing instruction {quoted(target)}")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._elements += 1
        if self._depth > _DEEPEST or self._elements > _MOST_ELEMENTS:
            raise _Stop(
                "too_complex", f"deeper than {_DEEPEST} or more than {_MOST_ELEMENTS} elements"
            )
        namespace, _, local = name.rpartition(" ")
        if self._root is None:
            self._start_root(namespace, local, attributes)
        elif self._is_strange(namespace, local):
            self.problem("element", f"element {quoted(local)} is not allowed")
        if local == "metadata" and not self._metadata_depth:
            self._metadata_depth = self._depth
        if self._depth == _CHILD and (namespace, local) == (self._namespace, "title"):
            self._in_title = True
            self._titles.append("")
        for attribute, value in attributes.items():
            self._attribute(attribute, value)

    def _is_strange(self, namespace: str, local: str) -> bool:
        if namespace == self._namespace:
            return local not in _ELEMENTS
        return not self._metadata_depth  # RDF and the like, which nobody draws

    def _start_root(self, namespace: str, local: str, attributes: dict[str, str]) -> None:
        if local != "svg":
            raise _Stop("not_svg", f"the root element is {quoted(local)}, not `svg`")
        if namespace != _NAMESPACE:
            self.problem("namespace", f"the root element has no xmlns={_NAMESPACE}")
        self._namespace = namespace
        self._root = {name.rpartition(" ")[2]: value for name, value in attributes.items()}

    def _attribute(self, name: str, value: str) -> None:
        namespace, _, local = name.rpartition(" ")
        if local.lower().startswith("on"):
            self.problem("script", f"event handler {quoted(local)}")
        elif local == "href" and not value.strip().startswith("#"):
            self.problem("reference", f"a reference to {quoted(value)}, outside of the document")
        elif (namespace, local) == (_XML, "base"):
            self.problem("reference", "xml:base makes references point outside of the document")
        elif not namespace and local == "style":
            self.problem("attribute", "a `style` attribute: CSS is not allowed")
        elif any(found[1] != "#" for found in _URL.finditer(value)):
            self.problem(
                "reference", f"{quoted(local)} refers to something outside of the document"
            )

    def _text(self, text: str) -> None:
        if self._in_title and self._depth == _CHILD:
            self._titles[-1] += text

    def _end(self, _name: str) -> None:
        if self._depth == self._metadata_depth:
            self._metadata_depth = 0
        self._depth -= 1
        if self._depth == 1:
            self._in_title = False

    def judged(self, document: bytes) -> Svg:
        """The result, with what can be said only at the end."""
        if len(document) > MAX_BYTES:
            self.problem("size", f"{len(document)} bytes are more than {MAX_BYTES}")
        root = self._root
        box = _numbers(root.get("viewBox", "")) if root is not None else None
        advice: tuple[Problem, ...] = ()
        if root is not None:
            self._judge_root(root)
            advice = _advice(root, box)
        return Svg(
            version=(root or {}).get("version", ""),
            base_profile=(root or {}).get("baseProfile", ""),
            title=self._titles[0].strip() if self._titles else "",
            view_box=box,
            attributes=root or {},
            size=len(document),
            sha256=hashlib.sha256(document).hexdigest(),
            problems=tuple(self._problems.values()),
            advice=advice,
        )

    def _judge_root(self, root: dict[str, str]) -> None:
        # §2.1, and §6.2 for x and y, which drawing programs leave there.
        for name, code, value in (
            ("baseProfile", "base_profile", "tiny-ps"),
            ("version", "version", "1.2"),
        ):
            if root.get(name) != value:
                self.problem(code, f'{name} is {quoted(root.get(name, ""))}, not "{value}"')
        if not self._titles or not self._titles[0].strip():
            self.problem("title", "no <title>, the first child of <svg>, or an empty one")
        elif len(self._titles) > 1:
            self.problem("title", "more than one <title>")
        for name in ("x", "y"):
            if name in root:
                self.problem("position", f"`{name}` is not allowed on <svg>")
        if _numbers(root.get("viewBox", "")) is None:
            self.problem("view_box", "no viewBox of four numbers")
        for name, value in _ONLY_VALUES.items():
            if root.get(name, value) != value:
                self.problem("attribute", f'{name} is {quoted(root[name])}, not "{value}"')


def _numbers(text: str) -> tuple[float, float, float, float] | None:
    parts = _SEPARATOR.split(text.strip(), maxsplit=4)
    try:
        x, y, width, height = map(float, parts)
    except ValueError:
        return None
    # Not "not above": no comparison with NaN is true.
    return (x, y, width, height) if 0 < width < float("inf") and 0 < height < float("inf") else None


def _advice(
    root: Mapping[str, str], box: tuple[float, float, float, float] | None
) -> tuple[Problem, ...]:
    """What Google's "Set up BIMI" asks besides the profile."""
    relative = [name for name in ("width", "height") if root.get(name, "").strip().endswith("%")]
    advice = [Problem("relative_size", f"{name} is a percentage, not pixels") for name in relative]
    if box is not None and box[2] != box[3]:
        advice.append(Problem("square", f"{box[2]:g} by {box[3]:g} is not square: it will be cut"))
    return tuple(advice)
