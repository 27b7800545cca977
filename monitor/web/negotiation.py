"""What a client accepts (RFC 9110 §12.5)."""

from collections.abc import Iterator

_OPENMETRICS = "application/openmetrics-text"


def prefers_openmetrics(accept: str) -> bool:
    """Whether OpenMetrics is named, and liked no less than plain text."""
    weights: dict[str, float] = {}
    for kind, weight in _weighted(accept):
        weights[kind] = max(weight, weights.get(kind, 0.0))
    liked = weights.get(_OPENMETRICS, 0.0)
    return liked > 0 and liked >= weights.get("text/plain", 0.0)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether gzip may be used: named, or covered by `*`, with a weight above 0."""
    weights = dict(_weighted(accept_encoding))
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def _weighted(header: str) -> Iterator[tuple[str, float]]:
    for part in header.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                try:
                    weight = float(value)
                except ValueError:
                    weight = 0.0
        yield kind, weight
