"""Macro strings and domain-specs of SPF: their syntax (RFC 7208 §7.1 and §12)."""

import re

# The number of a transformer must not be zero (RFC 7208 §7.3).
_EXPAND = r"%\{[slodiphcrtvSLODIPHCRTV](?:0*[1-9][0-9]*)?[rR]?[.\-+,/_=]*\}|%%|%_|%-"
_MACRO_STRING = re.compile(rf"(?:{_EXPAND}|[\x21-\x24\x26-\x7E])*")
_TOP_LABEL = r"(?:[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9])"
_DOMAIN_END = re.compile(rf"(?:\.{_TOP_LABEL}\.?|{_EXPAND})\Z")
# "The following macro letters are allowed only in "exp" text" (RFC 7208 §7.2).
_EXPLANATION_ONLY = re.compile(r"%\{[crtCRT]")


def is_macro_string(text: str) -> bool:
    """Whether this is a ``macro-string`` of RFC 7208 §12."""
    return _MACRO_STRING.fullmatch(text) is not None


def is_domain_spec(text: str) -> bool:
    """Whether this is a ``domain-spec``: a macro string that ends in a top label or in a macro."""
    return (
        is_macro_string(text)
        and _DOMAIN_END.search(text) is not None
        and _EXPLANATION_ONLY.search(text) is None
    )


def has_macro(text: str) -> bool:
    """Whether the name depends on the message, so that nobody knows it without one."""
    return "%" in text
