"""Renders the HTML and text pages; the one place that knows the templates."""

import hashlib
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from monitor.web import text
from monitor.web.backend import Snapshot
from monitor.web.view import State

_SYMBOLS: Final = {
    "ok": "✓",
    "warning": "▲",
    "critical": "✕",
    "unknown": "?",
    "waiting": "…",
    "info": "i",
}
_ICON_COLOURS: Final = {
    "ok": "#2c8a57",
    "warning": "#d08a1d",
    "critical": "#c92f3a",
    "unknown": "#7a5cc4",
    "waiting": "#71839a",
}


class Pages:
    """The templates, and the style sheet that goes with them."""

    def __init__(self) -> None:
        self.style = files("monitor.web").joinpath("static/site.css").read_bytes()
        version = hashlib.sha256(self.style).hexdigest()[:12]
        self._templates = _environment(version)

    def render(self, template: str, snapshot: Snapshot, state: State, **fields: Any) -> str:
        """A page; `state` colours its icon. `.html` templates escape whatever they show."""
        return self._templates.get_template(template).render(
            organisation=snapshot.organisation,
            version=snapshot.version,
            now=snapshot.at,
            state=state,
            **fields,
        )


def coded(said: str) -> Markup:
    """What stands between backticks as code; everything escaped."""
    pieces = said.split("`")
    if len(pieces) % 2 == 0:  # a backtick without its partner
        return escape(said)
    marked = (
        Markup("<code>{}</code>").format(piece) if number % 2 else escape(piece)
        for number, piece in enumerate(pieces)
    )
    return Markup("").join(marked)


def _environment(style_version: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("monitor.web"),
        autoescape=select_autoescape(),
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        ago=text.ago,
        clock=text.clock,
        coded=coded,
        counted=text.counted,
        icon=_icon,
        iso=text.iso,
        one_line=text.one_line,
        query=lambda **fields: urlencode(fields),
        states=tuple(State),
        style_version=style_version,
        symbols=_SYMBOLS,
    )
    return environment


def _icon(state: State) -> str:
    """A round in the state's colour, for the browser's tab."""
    colour = _ICON_COLOURS[state]
    drawn = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>"
        f"<circle cx='8' cy='8' r='7' fill='{colour}'/></svg>"
    )
    return f"data:image/svg+xml,{quote(drawn)}"
