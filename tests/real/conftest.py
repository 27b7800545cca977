"""Prints how many recorded cases come out as expected, all the way through the product."""

from collections import Counter

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            test = report.nodeid.partition("[")[0]
            if "/real/" in test and "::test_conformance_" in test and report.when == "call":
                total[test] += 1
                passed[test] += outcome == "passed"
    for test, count in total.items():
        terminalreporter.write_line(f"conformance: {passed[test]} of {count} {test}")
