"""The SMTP audit: whom it leaves alone, and when a host carries strangers' mail."""

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from checks.smtp.check import SmtpCheck
from checks.smtp_audit.check import SmtpAuditCheck, SmtpAuditSettings
from checks.smtp_audit.relay import blindness, relayed, trials
from monitor.check import Envelope, EnvelopeReply, SmtpAudit
from monitor.config.load import load
from monitor.inventory import Discovery, build
from monitor.model import HostTarget
from monitor.publish.names import declared
from monitor.world.fake import FakeWorld

OWN = HostTarget("mx.example.com", 25, "example.com", own=True)
ASKED = trials("example.com", OWN.host, "192.0.2.1", "relay-test@example.org", "victim@example.net")


NOT_OURS = [replace(OWN, own=False), replace(OWN, host="aspmx.l.google.com")]


@pytest.mark.parametrize("target", NOT_OURS, ids=["not declared", "a provider's"])
async def test_nothing_leaves_for_a_host_that_is_not_our_own(target: HostTarget) -> None:
    fake = FakeWorld(a={target.host: "192.0.2.1"})
    outcome = await SmtpAuditCheck(SmtpAuditSettings()).run(target, fake.world())
    assert "only own hosts" in (outcome.failure or "")
    assert (fake.audited, fake.conversed, fake.asked) == ([], [], [])


def test_it_is_off_unless_wanted_and_applies_to_own_hosts_only() -> None:
    about = SmtpAuditCheck.about
    assert about.opt_in
    assert about.applies(OWN)
    assert not any(map(about.applies, NOT_OURS))
    assert about.interval >= 86400


def test_no_setting_makes_it_look_at_others(tmp_path: Path) -> None:
    """Not even naming them as its targets."""
    path = tmp_path / "config.yaml"
    path.write_text(
        "domains: [{name: example.com, mail_hosts: ['mx.example.com:25']}]\n"
        "checks: {smtp_audit: {enabled: true, targets: ['mx.example.com:25', 'mx.other.example:25']}}\n"
    )
    config = load(path, {}, {"smtp_audit": SmtpAuditCheck})
    found = Discovery("example.com", 0.0, mx_hosts=("mx2.example.com",))
    targets = build(config, {"example.com": found}).targets(config.checks["smtp_audit"])
    assert [target.name for target in targets] == ["mx.example.com:25"]


async def test_the_addresses_of_a_host_are_shown_together() -> None:
    known = SmtpAudit("192.0.2.1", protocols={"TLSv1": False, "TLSv1.2": True})
    old = replace(known, protocols={"TLSv1": True, "TLSv1.2": True}, weak_suites=("RC4-SHA",))
    fake = FakeWorld(
        a={OWN.host: ["192.0.2.1", "192.0.2.2"]},
        smtp_audit={("192.0.2.1", 25): known, ("192.0.2.2", 25): replace(old, address="192.0.2.2")},
    )
    outcome = await SmtpAuditCheck(SmtpAuditSettings()).run(OWN, fake.world())
    shown = {tuple(s.labels.values()): s.value for s in outcome.samples}
    assert shown["smtp_audit", "TLSv1"] == 1
    assert shown["smtp_audit", "TLSv1.2"] == 1
    assert (shown["rc4",], shown["null",]) == (1, 0)


def test_two_checks_share_a_metric_only_where_it_says_whose_a_series_is() -> None:
    about = SmtpAuditCheck.about
    assert "deliverability_tls_protocol_accepted" in declared([SmtpCheck.about, about])
    with pytest.raises(ValueError, match="declared twice"):
        declared([about, about])


@pytest.mark.parametrize(
    "mailbox", ["someone", "a@b\r\nDATA", "a b@example.com", "<a@example.com>", ""]
)
def test_an_envelope_takes_no_more_than_an_address(mailbox: str) -> None:
    with pytest.raises(ValidationError):
        SmtpAuditSettings(relay_recipient=mailbox)


# --- relaying ---


def server(
    *,
    takes: tuple[str, ...] = ("@example.com",),
    refusal: tuple[int, str] = (554, "5.7.1 Relay access denied"),
) -> list[EnvelopeReply]:
    """The replies of a host that takes recipients with these endings."""
    return [
        EnvelopeReply(one, *((250, "2.1.5 Ok") if one.recipient.endswith(takes) else refusal))
        for one in ASKED.envelopes
    ]


def forms(replies: list[EnvelopeReply]) -> list[str]:
    return [trial.form for trial, _ in relayed(ASKED, replies)]


def answered(
    replies: list[EnvelopeReply], recipient: str, code: int, text: str = ""
) -> list[EnvelopeReply]:
    """The same, but for one recipient."""
    return [
        EnvelopeReply(one.envelope, code, text) if one.envelope.recipient == recipient else one
        for one in replies
    ]


def test_every_envelope_is_written_once_and_in_ascii_without_brackets() -> None:
    texts = [f"{one.sender}{one.recipient}" for one in ASKED.envelopes]
    assert len(set(texts)) == len(texts)
    assert all(text.isascii() and not set("<>\r\n ") & set(text) for text in texts)


def test_a_host_that_takes_every_mailbox_of_its_own_domain_is_no_relay() -> None:
    """Then a percent hack is just another mailbox of it."""
    replies = server()
    assert [r for r in replies if r.envelope.recipient.startswith("victim%") and r.code == 250]
    assert forms(replies) == []
    assert blindness(ASKED, replies, 25) == ""


def test_a_host_that_knows_its_mailboxes_and_takes_the_percent_hack_is_one() -> None:
    replies = answered(
        server(takes=("postmaster@example.com",)), "victim%example.net@example.com", 250
    )
    assert forms(replies) == ["percent hack"]


def test_a_host_that_takes_everything_is_one() -> None:
    assert "stranger to stranger" in forms(server(takes=("",)))


def test_a_host_that_trusts_senders_of_its_own_domain_is_one() -> None:
    replies = [
        replace(one, code=250 if one.envelope.sender.endswith("@example.com") else one.code)
        for one in server()
    ]
    assert forms(replies) == ["local sender"]


def test_an_accepted_sender_is_no_accepted_recipient() -> None:
    replies = [EnvelopeReply(one, 250, "odd", refused_sender=True) for one in ASKED.envelopes]
    assert forms(replies) == []


BLIND = [
    (server(), 25, ""),
    (server(refusal=(454, "4.7.1 <victim@example.net>: Relay access denied")), 25, ""),
    (server(takes=("-",), refusal=(450, "4.2.0 Greylisted")), 25, "asks to come later"),
    (server(takes=("-",), refusal=(554, "5.7.1 Client host blocked")), 25, "takes nothing from us"),
    (server(takes=("-",), refusal=(554, "5.7.1 Relaying denied")), 25, ""),
    (server(takes=("-",), refusal=(530, "5.7.0 Authentication required")), 587, ""),
]


@pytest.mark.parametrize(("replies", "port", "reason"), BLIND)
def test_a_refusal_says_something_only_where_it_is_about_relaying(
    replies: list[EnvelopeReply], port: int, reason: str
) -> None:
    found = blindness(ASKED, replies, port)
    assert reason in found
    assert bool(found) is bool(reason)


async def test_what_the_envelopes_are_is_what_is_asked() -> None:
    asked: list[Envelope] = []

    class Notes(FakeWorld):
        async def audit(self, address, host, port, envelopes):
            asked.extend(envelopes)
            return SmtpAudit(address)

    settings = SmtpAuditSettings(relay_recipient="victim@example.net")
    await SmtpAuditCheck(settings).run(OWN, Notes(a={OWN.host: "192.0.2.1"}).world())
    assert {one.recipient for one in asked} == {one.recipient for one in ASKED.envelopes}
    asked.clear()
    never = SmtpAuditSettings(relay="never")
    await SmtpAuditCheck(never).run(OWN, Notes(a={OWN.host: "192.0.2.1"}).world())
    assert asked == []
