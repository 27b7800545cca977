"""What is too large to be looked at is said, wherever a person looks."""

import io
from pathlib import Path

from structlog.testing import capture_logs

from monitor.app.assembly import assemble
from monitor.app.discovery import tell_left_out
from monitor.cli.plan_table import print_plan
from monitor.cli.planning import plan_of
from monitor.config.installed import installed_checks
from monitor.config.load import load
from monitor.inventory import Discovery, Permit

TEXT = "domains: [{name: shop.example}]\n"
LARGE = Permit("ip4:34.0.0.0/15", True, ("34.0.0.0/15",))
FOUND = {"shop.example": Discovery("shop.example", 0.0, permits=(LARGE,))}


def test_plan_says_it(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    printed = io.StringIO()
    plan = plan_of(assemble(load(path, {}, installed_checks()), FOUND))
    print_plan(plan, printed, {"COLUMNS": "200"})
    assert "Not looked at: shop.example: ip4:34.0.0.0/15 of its SPF record" in printed.getvalue()


def test_the_log_says_it_once(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    config = load(path, {}, installed_checks())
    before, after = (assemble(config, found).inventory for found in ({}, FOUND))
    with capture_logs() as logs:
        tell_left_out(None, before)
        tell_left_out(before, after)
        tell_left_out(after, after)
    (told,) = logs
    assert (told["event"], told["log_level"]) == ("inventory.left_out", "warning")
    assert (told["domain"], "ip4:34.0.0.0/15" in told["what"]) == ("shop.example", True)
