"""Writing a file so that a reader sees the old one or the new one."""

from pathlib import Path


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content in one step."""
    draft = path.with_name(f".{path.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
