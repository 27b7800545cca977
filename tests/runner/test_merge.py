"""What was known stays until a known look clears it; never `ok` when nobody could look."""

from dataclasses import replace

import pytest

from monitor.check import About, enough_subjects, every_subject
from monitor.model import AddressTarget, Finding, Look, LookState, Outcome, Sample, Severity, Status
from monitor.runner.merge import JudgedLook, Run, merge, tells_news, worse
from monitor.store.kept import HOLD_SECONDS, Kept, KeptFinding

DAY = 86400.0
LISTED = Finding("listed", "listed on zen")
ABOUT = About("blocklist", "Blocklists", AddressTarget, 3600.0, codes=())


def judged(look: Look, severity: Severity = Severity.CRITICAL) -> JudgedLook:
    return JudgedLook(
        look, tuple(KeptFinding(f, f"blocklist.{f.code}", severity, 0.0) for f in look.findings)
    )


def after(
    kept: Kept | None,
    *looks: Look,
    at: float,
    awaiting: tuple[str, ...] = (),
    roll_up=every_subject,
) -> Kept:
    run = Run(
        "blocklist",
        "192.0.2.10",
        "example.com",
        at,
        Outcome(looks=looks),
        tuple(judged(look) for look in looks),
    )
    about = replace(ABOUT, roll_up=roll_up)
    return merge(kept, run, awaiting=frozenset(awaiting), about=about)


def failed(kept: Kept | None, reason: str, *, at: float) -> Kept:
    run = Run("blocklist", "192.0.2.10", "example.com", at, Outcome.unknown(reason), ())
    return merge(kept, run, awaiting=frozenset(), about=ABOUT)


def codes(kept: Kept) -> list[str]:
    return [f.code for s in kept.subjects.values() for f in s.findings]


def test_a_clean_target_keeps_no_subject() -> None:
    kept = after(None, *(Look.known(f"zone{n}") for n in range(60)), at=1)
    assert (kept.status, kept.clean, dict(kept.subjects)) == (Status.OK, 60, {})


def test_losing_sight_keeps_the_finding_and_its_time() -> None:
    kept = after(None, Look.known("zen", (LISTED,)), Look.known("dbl"), at=1)
    kept = after(kept, Look.unknown("zen", "timeout"), Look.known("dbl"), at=2)
    kept = failed(kept, "no network", at=3)
    assert kept.status is Status.CRITICAL
    assert codes(kept) == ["blocklist.listed"]
    assert (kept.subjects["zen"].known_at, kept.subjects["zen"].unknown_reason) == (1, "no network")


def test_a_clean_look_clears_it() -> None:
    kept = after(None, Look.known("zen", (LISTED,)), at=1)
    kept = after(kept, Look.known("zen"), at=2)
    assert (kept.status, codes(kept)) == (Status.OK, [])


def test_what_nobody_could_see_for_a_week_is_no_longer_shown() -> None:
    kept = after(None, Look.known("zen", (LISTED,)), at=0)
    assert codes(failed(kept, "no network", at=HOLD_SECONDS - 1)) == ["blocklist.listed"]
    gone = failed(kept, "no network", at=HOLD_SECONDS + 1)
    assert (gone.status, codes(gone)) == (Status.UNKNOWN, [])


def test_a_clean_target_that_nobody_can_see_is_unknown_not_ok() -> None:
    kept = after(None, Look.known("zen"), at=1)
    assert after(kept, Look.unknown("zen", "timeout"), at=2).status is Status.UNKNOWN
    assert failed(kept, "no network", at=2).status is Status.UNKNOWN
    assert failed(kept, "no network", at=2).known_at == 1
    assert failed(None, "no network", at=2).status is Status.UNKNOWN


def test_what_awaits_confirmation_does_not_count_yet() -> None:
    first = after(None, Look.known("zen", (LISTED,)), at=1, awaiting=("zen",))
    assert (first.status, codes(first)) == (Status.UNKNOWN, [])
    clean = after(None, Look.known("zen"), at=1)
    assert after(clean, Look.known("zen", (LISTED,)), at=2, awaiting=("zen",)).status is Status.OK


def test_a_held_finding_is_no_news_of_today() -> None:
    """The time of the last knowledge does not move while the only finding is held blind."""
    kept = after(None, Look.known("zen", (LISTED,)), at=1)
    assert after(kept, Look.unknown("zen", "timeout"), at=2).known_at == 1


def test_one_silent_zone_does_not_make_an_address_unknown() -> None:
    looks = (*(Look.known(f"zone{n}") for n in range(9)), Look.unknown("silent", "timeout"))
    assert after(None, *looks, at=1, roll_up=enough_subjects(0.5)).status is Status.OK
    blind = tuple(replace(look, state=LookState.UNKNOWN, reason="timeout") for look in looks)
    assert after(None, *blind, at=1, roll_up=enough_subjects(0.5)).status is Status.UNKNOWN


def test_a_subject_that_is_not_due_stays_as_it_was() -> None:
    kept = after(None, Look.known("zen", (LISTED,)), Look.known("dbl"), at=1)
    kept = after(kept, Look.not_due("zen"), Look.not_due("dbl"), at=2)
    assert (kept.clean, codes(kept)) == (1, ["blocklist.listed"])
    assert after(None, Look.not_due("zen"), at=1).status is Status.UNKNOWN


def test_a_subject_that_left_the_target_is_dropped() -> None:
    kept = after(None, Look.known("s1", (LISTED,)), Look.known("s2"), at=1)
    assert (after(kept, Look.known("s2"), at=2).status) is Status.OK


def test_a_finding_keeps_the_time_it_began() -> None:
    kept = after(None, Look.known("zen", (LISTED,)), at=1)
    kept = after(kept, Look.known("zen", (LISTED,)), at=100)
    assert [f.since for f in kept.subjects["zen"].findings] == [1]


def test_samples_stay_while_nobody_can_see() -> None:
    sample = Sample("certificate_not_after_timestamp_seconds", 5.0)
    kept = after(None, Look.known("mx", samples=(sample,)), at=1)
    assert failed(kept, "no network", at=2).subjects["mx"].samples == (sample,)


def test_worse_is_a_new_code_or_a_worse_severity_not_information() -> None:
    kept = after(None, Look.known("zen", (LISTED,)), at=1)
    assert not worse(kept, judged(Look.known("zen", (LISTED,))))
    assert worse(kept, judged(Look.known("zen", (Finding("other", ""),))))
    assert worse(None, judged(Look.known("zen", (LISTED,))))
    assert not worse(None, judged(Look.known("zen", (LISTED,)), Severity.INFO))
    assert not worse(None, judged(Look.known("zen")))


def test_a_new_subject_that_was_not_asked_yet_is_not_clean() -> None:
    kept = after(None, Look.known("zen"), at=1)
    kept = after(kept, Look.known("zen"), Look.not_due("new"), at=2)
    assert kept.status is Status.UNKNOWN
    kept = after(kept, Look.not_due("zen"), Look.not_due("new"), at=3)
    assert kept.status is Status.UNKNOWN
    kept = after(kept, Look.not_due("zen"), Look.known("new"), at=4)
    assert kept.status is Status.OK


def test_subjects_that_take_the_place_of_clean_ones_are_not_clean() -> None:
    """Some are due and some are not, one was listed, one is unknown: each is told by its own name."""
    kept = after(
        None,
        Look.known("stays"),
        Look.known("goes"),
        Look.known("listed", (LISTED,)),
        Look.unknown("silent", "timeout"),
        at=1,
    )
    kept = after(
        kept,
        Look.not_due("stays"),
        Look.not_due("comes"),
        Look.not_due("listed"),
        Look.not_due("silent"),
        at=2,
    )
    assert (kept.clean, codes(kept)) == (1, ["blocklist.listed"])
    assert {s.subject for s in kept.subjects.values() if not s.known} == {"comes", "silent"}
    assert kept.subjects["comes"].known_at is None


def test_a_subject_that_went_and_came_back_is_to_be_asked_again() -> None:
    kept = after(None, Look.known("zen"), Look.known("dbl"), at=1)
    kept = after(kept, Look.not_due("zen"), at=2)
    assert (kept.status, kept.clean) == (Status.OK, 1)
    kept = after(kept, Look.not_due("zen"), Look.not_due("dbl"), at=3)
    assert (kept.status, kept.clean, set(kept.subjects)) == (Status.UNKNOWN, 1, {"dbl"})


@pytest.mark.parametrize(
    "look",
    [Look.unknown("new", "timeout"), Look.known("new", (LISTED,)), Look.not_due("new")],
    ids=["unknown", "awaiting", "not due"],
)
def test_nothing_is_known_of_a_subject_before_a_look_that_counts(look: Look) -> None:
    kept = after(None, Look.known("old"), at=1)
    kept = after(kept, look, at=2, awaiting=("new",))
    assert (kept.status, kept.clean) == (Status.UNKNOWN, 0)
    assert kept.subjects["new"].known_at is None


def test_what_is_not_due_counts_in_the_roll_up_by_its_weight_of_today() -> None:
    half = enough_subjects(0.5)
    kept = after(None, Look.known("light"), Look.unknown("heavy", "timeout", weight=0.1), at=1)
    looks = (Look.not_due("light", weight=0.1), Look.not_due("heavy"))
    assert after(kept, *looks, at=2, roll_up=half).status is Status.UNKNOWN
    looks = (Look.not_due("light"), Look.not_due("heavy", weight=0.1))
    assert after(kept, *looks, at=2, roll_up=half).status is Status.OK


def test_a_clean_subject_of_an_earlier_version_has_no_name_and_is_to_be_asked_again() -> None:
    kept = replace(after(None, Look.known("zen"), at=1), roster=frozenset())
    kept = after(kept, Look.not_due("zen"), at=2)
    assert (kept.status, kept.clean) == (Status.UNKNOWN, 0)
    assert after(kept, Look.known("zen"), at=3).status is Status.OK


def test_after_a_run_that_could_not_look_what_is_not_due_is_unknown() -> None:
    kept = failed(after(None, Look.known("zen"), at=1), "no network", at=2)
    assert after(kept, Look.not_due("zen"), at=3).status is Status.UNKNOWN


def test_the_first_look_at_a_subject_is_news_whatever_it_says() -> None:
    kept = after(None, Look.known("old"), at=1)
    assert not tells_news(kept, Outcome((Look.known("old"),)), ABOUT)
    assert not tells_news(kept, Outcome((Look.not_due("new"),)), ABOUT)
    assert tells_news(kept, Outcome((Look.known("new"),)), ABOUT)


def test_samples_of_a_run_are_held_no_longer_than_its_findings() -> None:
    run = Run(
        "rates",
        "shop/example.com",
        "example.com",
        0.0,
        Outcome((Look.known("all"),), samples=(Sample("threshold", 0.05),)),
        (judged(Look.known("all")),),
    )
    kept = merge(None, run, awaiting=frozenset(), about=ABOUT)
    kept = failed(kept, "no answer", at=HOLD_SECONDS)
    assert kept.samples
    assert not failed(kept, "no answer", at=HOLD_SECONDS + 1).samples


def test_what_does_not_matter_makes_no_ok_alone() -> None:
    kept = after(None, Look.unknown("2001:db8::1", "no IPv6 here", weight=0.0), at=1)
    assert kept.status is Status.UNKNOWN
    kept = after(kept, Look.unknown("2001:db8::1", "", weight=0.0), Look.known("192.0.2.1"), at=2)
    assert kept.status is Status.OK


def test_subjects_that_could_not_be_found_out_stay_as_unknown() -> None:
    """The IPv4 addresses of a host are not told this time, the IPv6 ones are."""
    kept = after(None, Look.known("192.0.2.1", (LISTED,)), Look.known("2001:db8::1"), at=1)
    look = Look.known("2001:db8::1")
    outcome = Outcome(looks=(look,), incomplete="mx.example.com A: timeout")
    run = Run("blocklist", "192.0.2.10", "example.com", 2, outcome, (judged(look),))
    kept = merge(kept, run, awaiting=frozenset(), about=ABOUT)
    assert (kept.status, codes(kept)) == (Status.CRITICAL, ["blocklist.listed"])
    assert kept.subjects["192.0.2.1"].unknown_reason == "mx.example.com A: timeout"


def test_a_clean_subject_that_could_not_be_found_out_is_unknown_too() -> None:
    kept = after(None, Look.known("192.0.2.1"), Look.known("2001:db8::1"), at=1)
    look = Look.known("2001:db8::1")
    outcome = Outcome(looks=(look,), incomplete="mx.example.com A: timeout")
    run = Run("blocklist", "192.0.2.10", "example.com", 2, outcome, (judged(look),))
    kept = merge(kept, run, awaiting=frozenset(), about=ABOUT)
    assert (kept.status, kept.clean) == (Status.UNKNOWN, 1)
    assert kept.subjects["192.0.2.1"].unknown_reason == "mx.example.com A: timeout"
    assert after(kept, Look.known("192.0.2.1"), look, at=3).status is Status.OK
