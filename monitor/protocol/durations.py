"""Durations as Prometheus writes them: `500ms`, `5s`, `15m`, `1h30m`, `7d`."""

import re

_SECONDS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1, "ms": 0.001}
# Units once each, from large to small (Prometheus' own grammar); nine digits are more than anyone means.
_DURATION = re.compile("".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit in _SECONDS))


def parse_duration(value: object) -> float:
    """Seconds of a Prometheus-style duration.

    Raises:
        ValueError: it is no text of that form; a number without a unit is none (only `0` needs none).
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if value == "0":
        return 0.0
    if not isinstance(value, str):
        raise ValueError("is no duration: write it like `500ms`, `5s`, `15m`, `1h30m` or `7d`")  # noqa: TRY004 -- pydantic wants ValueError
    found = _DURATION.fullmatch(value)
    if not value or not found:
        unit = " (a number needs its unit)" if re.fullmatch(r"[0-9.]+", value) else ""
        raise ValueError(
            f"`{value[:40]}` is no duration: write it like `500ms`, `5s`, `15m`, `1h30m` or `7d`{unit}"
        )
    parts = zip(found.groups(), _SECONDS.values(), strict=True)
    return float(sum(int(number) * seconds for number, seconds in parts if number))
