import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.protocol.rates import wilson


@pytest.mark.parametrize(
    ("successes", "total", "lower"),
    [(1, 10, 0.0179), (5, 50, 0.0435), (10, 100, 0.0552), (60, 1000, 0.0469)],
)
def test_lower_bounds(successes: int, total: int, lower: float) -> None:
    assert wilson(successes, total)[0] == pytest.approx(lower, abs=5e-5)


def test_nothing_is_known_without_trials() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "total"), [(2, 1), (-1, 1), (0, -1)])
def test_impossible_counts_are_refused(successes: int, total: int) -> None:
    with pytest.raises(ValueError, match="trials"):
        wilson(successes, total)


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(max_examples=200)
def test_the_interval_holds_the_ratio_and_mirrors(counts: tuple[int, int]) -> None:
    successes, total = counts
    lower, upper = wilson(successes, total)
    assert 0 <= lower <= successes / total <= upper <= 1
    assert wilson(total - successes, total)[1] == pytest.approx(1 - lower)
