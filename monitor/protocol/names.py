"""Host names (RFC 1123 §2.1, RFC 5890 §2.3.1)."""

import re

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_LONGEST_NAME = 253


def is_host_name(text: str) -> bool:
    """Whether this is a name that a host may have: letters, digits and hyphens, and no address.

    A name whose last label is a number is none: it would read as an address (RFC 1123 §2.1).
    """
    labels = text.removesuffix(".").split(".")
    return (
        len(text) <= _LONGEST_NAME
        and all(_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )


def folded(name: str) -> str:
    """Lower case, without the final dot: two names are the same when this is."""
    return name.lower().removesuffix(".")


def with_parents(name: str) -> list[str]:
    """The name and those above it, folded, the longest first; empty for what is too long to be a name.

    >>> with_parents("mail.Example.com.")
    ['mail.example.com', 'example.com', 'com']
    """
    text = folded(name)
    labels = text.split(".") if len(text) <= _LONGEST_NAME else []
    return [".".join(labels[cut:]) for cut in range(len(labels))]
