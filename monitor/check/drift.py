"""How a check words what drift found out."""

from collections.abc import Callable
from collections.abc import Set as AbstractSet


def difference(
    before: AbstractSet[str], after: AbstractSet[str], shown: Callable[[str], str] = str
) -> str:
    """What left a set and what came, each as `shown`: `without a, b; with c`; "" where they are equal."""
    parts = (
        f"{word} {', '.join(sorted(map(shown, items)))}"
        for word, items in (("without", before - after), ("with", after - before))
        if items
    )
    return "; ".join(parts)
