"""Whatever stands in the DNS, the checks of records end in an outcome that they declare, with advice."""

import asyncio
import time
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.bimi.check import BimiCheck
from checks.dkim.check import DkimCheck
from checks.dmarc.check import DmarcCheck
from checks.mta_sts.check import MtaStsCheck
from checks.mx.check import MxCheck
from checks.parked.check import ParkedCheck
from checks.rdns.check import RdnsCheck
from checks.spf.check import SpfCheck
from checks.tls_rpt.check import TlsRptCheck
from monitor.model import AddressTarget, DomainTarget, Outcome, Role, Sender, SenderTarget
from monitor.world.fake import FakeWorld

NEWS = Sender("news", ("example.com",), platform="ses", envelope_domains=("b.example.net",))
DOMAIN = DomainTarget("example.com", selectors=("s1",), senders=(NEWS,))
ADDRESS = AddressTarget(ip_address("192.0.2.1"), "example.com", helo="mta.example.com")
PARKED = DomainTarget("example.com", role=Role.PARKED)
ADDRESSED = SenderTarget("shop", "example.com", addresses=("192.0.2.1",))
HOSTED = SenderTarget("news", "example.com", platform="sendgrid")
POOL = SenderTarget("news", "example.com", addresses=("192.0.2.1", "192.0.2.2"))

TEXTS = st.lists(
    st.text(max_size=60)
    | st.text(max_size=40).map("v=DMARC1; p=reject; rua=mailto:".__add__)
    | st.text(max_size=40).map("v=DMARC1; p=none; pct=".__add__)
    | st.text(max_size=40).map("v=DKIM1; k=rsa; p=".__add__)
    | st.text("acdeiklmnprsux:/%{}~+-?.= 0149", max_size=40).map("v=spf1 ".__add__)
    | st.text(max_size=40).map("v=STSv1; id=".__add__)
    | st.text(max_size=40).map("v=TLSRPTv1; rua=mailto:".__add__)
    | st.text(max_size=40).map("v=BIMI1; l=https://".__add__)
    | st.text("0123. ab[:]-_", max_size=20).map("10 ".__add__),
    max_size=3,
)


async def outcome(check: Any, target: Any, texts: list[str]) -> Outcome:
    below = ("", "_dmarc.", "s1._domainkey.", "_mta-sts.", "_smtp._tls.", "default._bimi.")
    names = ("_dmarc.example.net", "sendgrid.net", *(f"{name}example.com" for name in below))
    fake = FakeWorld(
        txt=dict.fromkeys(names, texts),
        mx={"example.com": texts},
        ptr=dict.fromkeys(POOL.addresses, texts),
    )
    outcome: Outcome = await check(check.about.settings()).run(target, fake.world())
    return outcome


@pytest.mark.parametrize(
    ("check", "target"),
    [
        (DmarcCheck, DOMAIN),
        (DkimCheck, DOMAIN),
        (MxCheck, DOMAIN),
        (RdnsCheck, ADDRESS),
        (RdnsCheck, POOL),
        (SpfCheck, DOMAIN),
        (SpfCheck, ADDRESSED),
        (SpfCheck, HOSTED),
        (MtaStsCheck, DOMAIN),
        (TlsRptCheck, DOMAIN),
        (BimiCheck, DOMAIN),
        (ParkedCheck, PARKED),
    ],
    ids=lambda value: getattr(value, "name", "") or value.about.name,
)
@given(texts=TEXTS)
@settings(max_examples=60, deadline=None)
def test_any_records_end_in_an_outcome(check: Any, target: Any, texts: list[str]) -> None:
    began = time.process_time()
    looks = asyncio.run(outcome(check, target, texts)).looks
    assert time.process_time() - began < 0.5
    assert looks
    declared = {code.name for code in check.about.codes}
    findings = [finding for look in looks for finding in look.findings]
    assert {finding.code for finding in findings} <= declared
    assert all(finding.summary and finding.fix for finding in findings)
    assert len({look.subject for look in looks}) == len(looks)
