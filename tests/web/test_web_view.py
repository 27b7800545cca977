"""The truth at a glance: states, headline, blind spots."""

from dataclasses import replace

import pytest

from monitor.model import Status
from monitor.store.kept import Course
from monitor.web.domain_page import domain_page
from monitor.web.overview import overview
from monitor.web.text import clock
from monitor.web.view import State, result
from tests.web.fake_backend import (
    BLIND,
    CALM,
    DOMAINS,
    HOSTILE_SPF,
    NOW,
    OWN,
    TROUBLED,
    WEAKENED,
    finding,
    kept,
    snapshot,
    subject,
)

OK_MX = kept("mx", "example.com", "example.com")
WAITING = (("dmarc", "example.com", "example.com"),)
STALE = kept("mx", "example.com", "example.com", looked_at=NOW - 7 * 3600)
DEAD_NETWORK = kept(
    "self",
    "monitor",
    "",
    Status.WARNING,
    subject("network", finding("self.network_down", "warning", "the network reaches nothing")),
)
PARTLY_BLIND = kept(
    "spf",
    "example.com",
    "example.com",
    Status.OK,
    subject("a"),
    subject("b", unknown_reason="silent"),
)
BLIND_WHERE_IT_ONLY_INFORMS = kept(
    "spf",
    "example.com",
    "example.com",
    Status.OK,
    subject("a"),
    subject("b", unknown_reason="silent", weight=0.0),
)


@pytest.mark.parametrize(
    ("state", "headline"),
    [
        (CALM, "All is well"),
        (
            TROUBLED,
            "1 thing needs action now; 1 more needs attention; 1 thing we cannot see; 1 look still to come",
        ),
        (snapshot(OWN, OK_MX), "All is well"),
        (snapshot(OWN, WEAKENED, WEAKENED), "2 things need action now"),
        (snapshot(OWN, HOSTILE_SPF, OK_MX), "1 thing needs attention"),
        (snapshot(OWN, OK_MX, BLIND), "Everything that we can see is fine; 1 thing we cannot see"),
        (
            snapshot(OWN, OK_MX, BLIND, replace(BLIND, target="mx2.example.com")),
            "The little that we can see is fine; 2 things we cannot see",
        ),
        (snapshot(OWN, PARTLY_BLIND), "Everything that we can see is fine; 1 thing we cannot see"),
        (snapshot(OWN, BLIND_WHERE_IT_ONLY_INFORMS), "All is well"),
        (
            snapshot(OWN, STALE, PARTLY_BLIND),
            "Everything that we can see is fine; 2 things we cannot see",
        ),
        (
            snapshot(OWN, OK_MX, waiting=WAITING),
            "Everything that we can see is fine; 1 look still to come",
        ),
        (snapshot(OWN, BLIND), "We cannot see anything"),
        (snapshot(OWN, waiting=WAITING), "Nothing has been looked at yet; 1 look still to come"),
        (snapshot(), "Nothing has been looked at yet"),
        (
            snapshot(DEAD_NETWORK, BLIND),
            "We cannot see anything; the monitor itself needs attention",
        ),
        (
            snapshot(DEAD_NETWORK, OK_MX),
            "Everything that we can see is fine; the monitor itself needs attention",
        ),
        (
            snapshot(OWN, kept("mx", "example.com", "example.com", Status.CRITICAL)),
            "1 thing needs action now",
        ),
    ],
)
def test_the_headline_tells_the_truth(state, headline):
    assert overview(state).headline == headline


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (CALM, State.OK),
        (TROUBLED, State.CRITICAL),
        (snapshot(OWN, OK_MX, BLIND), State.UNKNOWN),
        (snapshot(OWN, OK_MX, STALE), State.UNKNOWN),
        (snapshot(OWN, OK_MX, waiting=WAITING), State.WAITING),
        (snapshot(OWN, HOSTILE_SPF, waiting=WAITING), State.WARNING),
        (snapshot(), State.UNKNOWN),
    ],
)
def test_the_worst_state_is_shown_and_never_ok_while_something_is_not_known(state, shown):
    assert overview(state).state == shown


def test_a_domain_without_any_result_is_not_ok():
    rows = {row.domain.name: row.state for row in overview(snapshot(OWN, OK_MX)).rows}
    assert rows == {"example.com": State.OK, "news.example.com": State.UNKNOWN}


def test_the_worst_domain_comes_first():
    rows = [row.domain.name for row in overview(snapshot(OWN, OK_MX, HOSTILE_SPF)).rows]
    assert rows == ["news.example.com", "example.com"]


@pytest.mark.parametrize(
    ("age", "state"), [(60, State.OK), (3 * 900 + 60, State.OK), (3 * 900 + 61, State.UNKNOWN)]
)
def test_an_old_result_is_not_believed(age, state):
    """A daemon that stopped looking must not go on saying ok."""
    old = kept("mx", "example.com", "example.com", looked_at=NOW - age)
    assert result(old, snapshot()).state == state


def test_an_old_critical_result_stays_critical():
    old = kept("mx", "example.com", "example.com", Status.CRITICAL, looked_at=NOW - 9e5)
    assert result(old, snapshot()).state is State.CRITICAL


def test_one_reason_that_blinds_many_is_told_once():
    blind = [
        kept(check, domain.name, domain.name, Status.UNKNOWN, failure="no resolver")
        for check in ("mx", "spf")
        for domain in DOMAINS
    ]
    [group] = overview(snapshot(OWN, *blind)).blindness
    assert (group.checks, group.reason) == (("mx", "spf"), "no resolver")
    assert group.where == ("example.com", "news.example.com")


def test_a_finding_that_is_held_says_so():
    """Losing sight clears nothing, but nobody may think that it was seen just now."""
    held = kept(
        "mx",
        "example.com",
        "example.com",
        Status.CRITICAL,
        subject(
            "mx1",
            finding("mx.host_gone", "critical", "gone"),
            known_at=NOW - 7200,
            unknown_reason="timeout",
        ),
    )
    [one] = overview(snapshot(held)).findings
    assert (one.held, one.last_seen) == (True, NOW - 7200)
    assert "1 thing we cannot see" in overview(snapshot(held)).headline


def test_a_finding_that_flaps_says_so():
    """It stays open while nothing is found: nobody may take it for found just now, nor wonder why it is open."""
    course = Course(
        "mx1",
        "mx.host_gone",
        first_seen=NOW - 8 * 3600,
        last_seen=NOW - 7200,
        returns=1,
        flapped_at=NOW - 4 * 3600,
        gone_at=NOW - 3600,
    )
    steady = kept(
        "mx",
        "example.com",
        "example.com",
        Status.CRITICAL,
        subject("mx1", finding("mx.host_gone", "critical", "gone")),
        courses=(course,),
    )
    [one] = overview(snapshot(steady)).findings
    assert (one.held, one.last_seen, one.flaps) == (True, NOW - 7200, True)
    assert one.story.startswith(f"first seen {clock(NOW - 8 * 3600)}, came back 1 time; it flaps")
    assert one.story.endswith(f"(not found since {clock(NOW - 3600)})")


def test_a_domains_page_has_its_own_things_only():
    page = domain_page(TROUBLED, "example.com", None)
    assert page.headline == "1 thing needs action now; 1 thing we cannot see"
    assert [one.code for one in page.findings] == ["dmarc.policy_weakened"]
    assert [section.name for section in page.sections] == ["dmarc", "mx", "rdns", "spf"]
    assert [record.classification for record in page.records] == ["weakened"]
    assert page.changes[0].at >= page.changes[-1].at
    assert domain_page(TROUBLED, "example.net", None) is None


def test_requirements_are_a_table_of_met_not_met_and_not_known():
    result = kept(
        "bulk_sender",
        "shop/example.com",
        "example.com",
        Status.WARNING,
        subject("Gmail: SPF", finding("bulk_sender.not_met", "warning", "no SPF")),
        subject("Yahoo: DKIM"),
        subject("Gmail: Use TLS: always", unknown_reason="shown only by its log", weight=0.0),
    )
    page = domain_page(snapshot(result), "example.com", {})
    (section,) = (one for one in page.sections if one.name == "bulk_sender")
    assert [
        (row.who, row.what, row.verdict, row.why)
        for row in section.requirements["shop/example.com"]
    ] == [
        ("Gmail", "SPF", "not met", ""),
        ("Gmail", "Use TLS: always", "not known", "shown only by its log"),
        ("Yahoo", "DKIM", "met", ""),
    ]
    assert page.blindness == ()
