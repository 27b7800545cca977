"""What the check of MTA-STS remembers from look to look."""

import pytest

from checks.mta_sts.check import MtaStsCheck
from monitor.check import HttpsReply, Settings
from monitor.model import DomainTarget, Severity
from monitor.world.fake import FakeWorld

URL = "https://mta-sts.example.com/.well-known/mta-sts.txt"
POLICY = "version: STSv1\nmode: {}\nmx: mx.example.com\nmax_age: 604800\n"
CHECK = MtaStsCheck(Settings())


@pytest.mark.parametrize(
    ("mode", "severity"), [("enforce", Severity.CRITICAL), ("testing", None), ("none", None)]
)
async def test_a_policy_that_cannot_be_fetched_is_critical_where_it_was_enforced(
    mode: str, severity: Severity | None
) -> None:
    """It stays so however long the host fails: senders hold on to the policy for longer."""
    replies = {URL: HttpsReply(URL, 200, "text/plain", body=POLICY.format(mode).encode())}
    fake = FakeWorld(
        txt={"_mta-sts.example.com": "v=STSv1; id=1"},
        mx={"example.com": "10 mx.example.com"},
        https=replies,
    )
    await CHECK.run(DomainTarget("example.com"), fake.world())
    replies[URL] = HttpsReply(URL, 503)
    for _ in range(10):
        fake.clock.advance(86400)
        outcome = await CHECK.run(DomainTarget("example.com"), fake.world())
    found = [finding for look in outcome.looks for finding in look.findings]
    assert [(f.code, f.severity) for f in found] == [("policy_fetch_error", severity)]
