"""`plan`: what would be asked of whom."""

from pathlib import Path

from monitor.app.assembly import assemble
from monitor.cli.plan import plan_of
from monitor.config.installed import installed_checks
from monitor.config.load import load
from tests.cli.commands import deliverability

TEXT = """\
domains: [{name: shop.example}, {name: news.example}]
senders:
  - {name: mta, domains: [shop.example], addresses: [192.0.2.10, 192.0.2.11]}
checks:
  dmarc: {interval: 1h}
  blocklist:
    interval: 30m
    zones: [few.example, many.example]
    catalogue:
      - {zone: few.example, kinds: [ip4], queries_a_day: 95}
      - {zone: many.example, kinds: [ip4, domain]}
"""


def test_looks_and_questions_add_up(tmp_path: Path) -> None:
    """Targets times looks a day; each zone gets what it lists, against its own limit."""
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    plan = plan_of(assemble(load(path, {}, installed_checks()), {}))
    checks = {check.check: check for check in plan.checks}
    assert checks["dmarc"].looks_a_day == 2 * 24
    assert checks["blocklist"].targets == {"address": 2, "domain": 2}
    assert checks["blocklist"].looks_a_day == 4 * 48
    parties = {party.party: party for party in plan.parties}
    few, many = parties["few.example"], parties["many.example"]
    assert (few.questions_a_day, few.limit, few.within) == (2 * 48, 95, False)
    assert (many.questions_a_day, many.limit, many.within) == (4 * 48, None, True)


def test_the_table_counts_what_the_dns_tells(lab: Path, tmp_path: Path) -> None:
    """Mail hosts are found by a question, and nothing is looked at."""
    ended = deliverability("plan", "--config", lab, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    rows = {line.split()[0]: line for line in ended.stdout.splitlines() if line.split()}
    assert "7 hosts" in rows["smtp"]
    assert "3 hosts" in rows["smtp_audit"], "those under mail_hosts"
    assert list(tmp_path.iterdir()) == []
