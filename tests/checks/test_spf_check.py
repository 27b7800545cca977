"""The SPF check beyond its cases: advice that works, and bounds on what a zone can cost."""

import asyncio
import re
import time
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.spf.check import SpfCheck
from monitor.check import Settings
from monitor.model import DomainTarget, Finding, LookState, Outcome, Sender, SenderTarget
from monitor.world.fake import FakeWorld

CHECK = SpfCheck(Settings())
ADDRESSES = ("192.0.2.10", "192.0.2.11", "2001:db8::10")
DOMAIN = DomainTarget(
    "example.com", senders=(Sender("news", ("example.com",), platform="sendgrid"),)
)
MTA = SenderTarget("mta", "example.com", addresses=ADDRESSES, helo="mta.example.com")
NEWS = SenderTarget("news", "example.com", platform="sendgrid")


def outcome(fake: FakeWorld, target: DomainTarget | SenderTarget = MTA) -> Outcome:
    return asyncio.run(CHECK.run(target, fake.world()))


def findings(fake: FakeWorld, target: SenderTarget = MTA) -> list[Finding]:
    return [finding for look in outcome(fake, target).looks for finding in look.findings]


TERMS = st.sampled_from(
    [
        "-ip4:192.0.2.0/28",
        "~ip6:2001:db8::/32",
        "a",
        "mx",
        "?include:other.example",
        "ip4:192.0.2.11",
        "exists:%{i}.x.example",
        "ptr",
    ]
)
ENDS = st.sampled_from(["", "-all", "~all", "?all", "redirect=other.example"])
RECORDS = st.builds(lambda terms, end: " ".join(["v=spf1", *terms, end]), st.lists(TERMS), ENDS)


@given(RECORDS)
@settings(max_examples=60, deadline=None)
def test_the_advised_record_lets_the_sender_pass(record: str) -> None:
    """Whatever the record is, publishing what the finding says mends it, and admits nobody else."""
    texts = {"example.com": record, "other.example": "v=spf1 -all"}
    for finding in findings(FakeWorld(txt=texts)):
        (advised,) = re.findall(r'IN TXT "(.*)"', finding.fix)
        assert findings(FakeWorld(txt=texts | {"example.com": advised})) == []
        assert advised.endswith(" ".join(record.split()).removeprefix("v=spf1"))


ANY_TERM = st.one_of(
    TERMS,
    st.builds(
        "{}:{}".format,
        st.sampled_from(["include", "a", "mx", "exists"]),
        st.sampled_from(
            ["example.com", "other.example", "%{d}", "%{l}.x", "..", "x" * 70 + ".example"]
        ),
    ),
    st.text(max_size=8),
)
ANY_TEXT = (
    st.lists(ANY_TERM, max_size=15).map(lambda terms: " ".join(["v=spf1", *terms])) | st.text()
)


@given(
    st.lists(ANY_TEXT, max_size=2),
    ANY_TEXT,
    st.sampled_from([{}, {"other.example": "servfail"}, {"*.example": "timeout"}]),
)
@settings(max_examples=100, deadline=None)
def test_any_zone_ends_in_looks(own: list[str], other: str, fail: dict[str, str]) -> None:
    texts = {
        "example.com": own,
        "other.example": other,
        "sendgrid.net": "v=spf1 ip4:198.51.100.0/24",
    }
    for target in (DOMAIN, MTA, NEWS):
        fake = FakeWorld(txt=texts, mx={"example.com": ["0 .", "x"]}, fail=fail)
        looks = outcome(fake, target).looks
        assert looks
        assert len(fake.asked) < 500
        assert all(look.findings == () for look in looks if look.state is LookState.UNKNOWN)


def test_a_whole_network_is_one_finding_and_little_work() -> None:
    network = tuple(map(str, ip_network("198.51.100.0/24")))
    includes = " ".join(f"include:i{n}.example" for n in range(9))
    texts = {f"i{n}.example": "v=spf1 " + "ip4:203.0.113.7 " * 40 for n in range(9)}
    fake = FakeWorld(txt=texts | {"example.com": f"v=spf1 {includes} -all"})
    began = time.process_time()
    (finding,) = findings(fake, SenderTarget("mta", "example.com", addresses=network))
    assert time.process_time() - began < 1
    assert "198.51.100.0 and 255 other addresses" in finding.summary
    assert "v=spf1 ip4:198.51.100.0/24 include:i0.example" in finding.fix
    assert len(finding.evidence) < 1000


@pytest.mark.parametrize(
    ("addresses", "platform", "applies"),
    [(ADDRESSES, "postfix", True), ((), "sendgrid", True), ((), "postfix", False)],
)
def test_a_sender_of_which_nothing_is_known_is_not_looked_at(
    addresses: tuple[str, ...], platform: str, applies: bool
) -> None:
    target = SenderTarget("mta", "example.com", addresses=addresses, platform=platform)
    assert CHECK.about.applies(target) is applies
