"""What the documents point to is there: files, sections, modules."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [
        *PROJECT.glob("*.md"),
        *PROJECT.glob("bench/*.md"),
        *PROJECT.glob("docs/**/*.md"),
        *PROJECT.glob("checks/*/*.md"),
    ]
)


def name(document: Path) -> str:
    return str(document.relative_to(PROJECT))


def anchors(document: Path) -> set[str]:
    """The sections' anchors, as code hosts make them of their titles."""
    titles = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def links(document: Path) -> Iterator[str]:
    text = re.sub(r"^```.*?^```", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "``", text)
    found = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    return (link for link in found if not re.match(r"[a-z]+:", link))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    dead = []
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if "docs" in d.parts], ids=name)
def test_the_files_that_a_document_names_exist(document: Path) -> None:
    named = re.findall(
        r"`((?:monitor|checks|deploy|grafana|scripts|tests|bench|docs)/[\w./-]*)`",
        document.read_text("utf-8"),
    )
    assert [path for path in named if not (PROJECT / path).exists()] == []
