"""How far a ratio of few messages can be trusted: the Wilson score interval."""

from math import sqrt


def wilson(successes: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The interval that holds the true ratio with 95 % confidence (``z`` = 1.96), each bound in 0…1.

    Without any trial nothing is known: (0, 1). E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212.

    Raises:
        ValueError: more successes than trials, or negative numbers.
    """
    if not 0 <= successes <= total:
        raise ValueError(f"{successes} successes of {total} trials")
    if total == 0:
        return 0.0, 1.0
    ratio = successes / total
    weight = 1 + z * z / total
    centre = (ratio + z * z / (2 * total)) / weight
    half = z / weight * sqrt(ratio * (1 - ratio) / total + z * z / (4 * total * total))
    # At 0 and at all the bound is exact; rounding must not push it past the ratio.
    return max(0.0, min(ratio, centre - half)), min(1.0, max(ratio, centre + half))
