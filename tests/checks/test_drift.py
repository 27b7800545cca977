"""Drift of the checks that watch records, whatever text stands in the DNS."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.bimi.check import BimiCheck
from checks.dane.check import DaneCheck
from checks.dkim.check import DkimCheck
from checks.dmarc.check import DmarcCheck
from checks.mta_sts.check import MtaStsCheck
from checks.mx.check import MxCheck
from checks.ns.check import NsCheck
from checks.rdns.check import RdnsCheck
from checks.smtp.check import SmtpCheck
from checks.spf.check import SpfCheck
from checks.tls_rpt.check import TlsRptCheck
from checks.tracking.check import TrackingCheck

WATCHERS = [
    check(check.about.settings())
    for check in (
        *(DmarcCheck, SpfCheck, DkimCheck, MxCheck, MtaStsCheck, TlsRptCheck),
        *(BimiCheck, TrackingCheck, SmtpCheck, NsCheck, DaneCheck, RdnsCheck),
    )
]
PIECES = st.sampled_from(
    [
        "v=DMARC1",
        "v=spf1",
        "v=DKIM1",
        "p=reject",
        "p=none",
        "sp=none",
        ";",
        "; ",
        "p=",
        "p=AAAA",
        "k=rsa",
        " -all",
        " ?all",
        " mx",
        " redirect=a.example",
        "10 a.example",
        "0 .",
        "v=BIMI1; l=https://a.example/l.svg; a=",
        "offered",
        "signed",
        "unsigned",
        f"3 1 1 {'ab' * 32}",
        "1 1 1 ab",
        "a.example",
        "id=1; mode=",
        "enforce; max_age=9; mx=",
        "none; max_age=9; mx=a.example",
        "mailto:a@a.example",
        ", ",
        "inherited from a.example: ",
        "several records: ",
        "several keys: ",
        "\x00",
        "é",
    ]
)
STATES = st.lists(PIECES, max_size=6).map("".join) | st.text(max_size=40)


@pytest.mark.parametrize("check", WATCHERS, ids=lambda check: check.about.name)
@given(accepted=STATES, seen=STATES)
@settings(max_examples=150, deadline=None)
def test_any_two_states_are_compared(check: Any, accepted: str, seen: str) -> None:
    """Nothing is raised, the same is no drift, and every drift has a code and a reason."""
    assert check.classify(seen, seen) is None
    drift = check.classify(accepted, seen)
    if drift is not None:
        assert drift.reason
        assert drift.classification in check.about.drift_codes


# A BIMI record that names no logo says as much as none.
WITHOUT_A_RECORD_ALL_IS_LOST = [check for check in WATCHERS if not isinstance(check, BimiCheck)]


@pytest.mark.parametrize("check", WITHOUT_A_RECORD_ALL_IS_LOST, ids=lambda check: check.about.name)
@given(accepted=STATES)
@settings(max_examples=50, deadline=None)
def test_a_record_that_went_away_is_never_silent(check: Any, accepted: str) -> None:
    """Whatever was accepted: nothing in its place is a drift."""
    assert (check.classify(accepted, "") is None) == (accepted == "")
