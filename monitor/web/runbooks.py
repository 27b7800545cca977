"""A check's runbook as HTML, with the anchors that alerts link to."""

from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup

from monitor.check import Check
from monitor.publish import folder


def runbook_html(check: type[Check[Any]]) -> Markup:
    """The runbook; the anchor of a section is its title in lower case. HTML in it is shown as text.

    Raises:
        FolderError: the check has no runbook.
    """
    markdown = MarkdownIt("commonmark", {"html": False})
    tokens = markdown.parse(folder.text(check, "runbook.md"))
    for token, following in pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", following.content.lower())
    rendered: str = markdown.renderer.render(tokens, markdown.options, {})
    return Markup(rendered)  # noqa: S704 - the renderer escapes
