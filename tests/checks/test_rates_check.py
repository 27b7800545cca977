"""Rates: limits as series, and any counts at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.rates import evaluate
from checks.rates.check import RatesCheck
from checks.rates.kinds import WINDOWS
from monitor.check import PastResult, Settings, Threshold
from monitor.model import Counts, LookState, Role, SenderTarget, Severity, Status
from monitor.world.fake import FakeWorld

LIMIT = Threshold(warning=0.02, critical=0.05, minimum=100)
OF_A_STREAM = Threshold(warning=0.01, critical=0.03, minimum=50)


async def test_limits_are_series_without_any_mail() -> None:
    fake = FakeWorld(thresholds={"bounce": LIMIT, "bounce orders": OF_A_STREAM})
    target = SenderTarget("shop", "example.com", Role.PRIMARY, ("orders",))
    outcome = await RatesCheck(Settings()).run(target, fake.world())
    limits = {
        (s.labels["stream"], s.labels["severity"], s.labels["window"]): s.value
        for s in outcome.samples
        if s.gauge == "threshold"
    }
    assert limits == {
        (stream, severity, window): value
        for stream, limit in (("", LIMIT), ("orders", OF_A_STREAM))
        for severity, value in (("warning", limit.warning), ("critical", limit.critical))
        for window in ("5m", "1h", "24h")
    }
    minimums = {
        s.labels["stream"]: s.value
        for s in outcome.samples
        if s.gauge == "threshold_minimum_messages"
    }
    assert minimums == {"": 100, "orders": 50}


numbers = st.integers(0, 10_000)
some_counts = st.builds(Counts, accepted=numbers, delivered=numbers, bounced=numbers)
some_windows = st.dictionaries(st.sampled_from(list(WINDOWS)), some_counts)
some_mail = st.dictionaries(
    st.tuples(st.sampled_from(["orders", "weekly", ""]), st.sampled_from(["gmail", "yahoo", ""])),
    some_windows,
)


@settings(max_examples=200, deadline=None)
@given(some_mail)
def test_whatever_is_counted_ratios_are_ratios_and_pages_have_enough_messages(
    counts: dict[tuple[str, str], dict[int, Counts]],
) -> None:
    groups = evaluate.grouped(counts, ["orders"])
    limits = {("bounce", stream): LIMIT for stream in ("", "orders", "weekly")}
    for look in evaluate.looks("shop", groups, limits):
        values = {(s.gauge, s.labels["window"]): s.value for s in look.samples}
        for window in {window for _, window in values}:
            lower, ratio, upper = (
                values[gauge, window] for gauge in ("ratio_lower", "ratio", "ratio_upper")
            )
            assert 0 <= lower <= ratio <= upper <= 1
        if look.findings:
            assert values["ratio_messages", "1h"] >= LIMIT.minimum
            over = (
                LIMIT.critical if look.findings[0].severity is Severity.CRITICAL else LIMIT.warning
            )
            assert min(values["ratio_lower", "1h"], values["ratio_lower", "5m"]) > over
        assert look.state is LookState.KNOWN or look.reason


@pytest.mark.parametrize("told", [False, True])
async def test_silence_is_no_recovery_though_the_hour_runs_out_of_messages(told: bool) -> None:
    """What was found stays while bad minutes are left of the hour; alone, so few messages say nothing."""
    target = SenderTarget("shop", "example.com", Role.PRIMARY)
    few = {3600: Counts(accepted=60, bounced=30), 86400: Counts(accepted=200, bounced=60)}
    past = PastResult("rates", target.name, Status.CRITICAL, ("rates.bounce_high",))
    fake = FakeWorld(
        thresholds={"bounce": LIMIT},
        counts={("shop", "example.com"): {("", ""): few}},
        results={"example.com": [past] if told else []},
    )
    (look,) = (await RatesCheck(Settings()).run(target, fake.world())).looks
    assert not look.findings
    assert look.state is (LookState.UNKNOWN if told else LookState.KNOWN)
