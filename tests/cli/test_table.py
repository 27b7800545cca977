"""What a person reads, and what a program reads."""

import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from monitor.cli.bulk import line_of
from monitor.cli.report import EXIT_CODES, Report, Result, as_json, result_of
from monitor.cli.table import closing, print_report, rows_of
from monitor.model import Finding, Outcome, Status
from monitor.runner.execute import OnceResult
from monitor.store.kept import Kept, KeptFinding, KeptSubject


def finding(
    severity: str, summary: str, *, fix: str = "Mend it.", evidence: str = ""
) -> KeptFinding:
    return KeptFinding(Finding("broken", summary, fix, evidence), "spf.broken", severity, since=0.0)


def result(check: str, status: Status, *findings: KeptFinding, **more: object) -> Result:
    return Result(check, "shop.example", status, findings, **more)  # type: ignore[arg-type]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(
    results: Sequence[Result], *, columns: int = 140, stream: io.StringIO | None = None, **more: str
) -> str:
    stream = stream or io.StringIO()
    report = Report("shop.example", tuple(results), 1.0, more.get("own_trouble", ""))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        patch.setenv("TERM", "xterm-256color")
        patch.delenv("NO_COLOR", raising=False)
        if "no_color" in more:
            patch.setenv("NO_COLOR", "1")
        print_report(report, stream, {"COLUMNS": str(columns)})
    return stream.getvalue()


def words(text: str) -> str:
    return " ".join(text.split())


HOSTILE = "\x1b[2J\x1b]0;title\x07\x9b31m\u202egnp.exe\r[red]not markup[/red]\x00"


@pytest.mark.parametrize("columns", [140, 80, 50])
def test_text_from_outside_does_not_reach_the_terminal(columns: int) -> None:
    """No control or bidirectional character, wherever it stood; square brackets are text."""
    results = [
        result("spf", Status.CRITICAL, finding("critical", HOSTILE, fix=HOSTILE, evidence=HOSTILE)),
        result("mx", Status.UNKNOWN, blind=(HOSTILE,)),
        result("dmarc", Status.OK, records=(HOSTILE,)),
    ]
    text = shown(results, columns=columns, own_trouble=f"x{HOSTILE}")
    assert not re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert "red]" in text
    assert "\x1b" not in json.dumps(as_json(Report("x", tuple(results), 1.0)))


@pytest.mark.parametrize("columns", [200, 140, 116, 80, 59, 40])
def test_every_width_has_all_of_it(columns: int) -> None:
    """Nothing is cut away, and no line is longer than the terminal."""
    summary, fix = "two records at shop.example", "Leave one that starts with v=spf1"
    text = shown(
        [result("spf", Status.CRITICAL, finding("critical", summary, fix=fix))], columns=columns
    )
    assert max(map(len, text.splitlines())) <= columns
    letters = re.sub(r"[^a-z]", "", text.lower())
    for wanted in ("critical", "spf", "tworecords", "leaveone"):
        assert wanted in letters


def test_a_status_is_a_word_and_a_symbol_not_a_colour_alone() -> None:
    """Colours on a terminal, none with NO_COLOR, none in a file."""
    results = [
        result("spf", Status.CRITICAL, finding("critical", "a")),
        result("mx", Status.WARNING, finding("warning", "b")),
        result("ns", Status.UNKNOWN, blind=("no answer",)),
        result("dkim", Status.OK, finding("info", "c")),
        result("dmarc", Status.OK),
    ]
    plain = shown(results)
    for word in ("✗ critical", "! warning", "? unknown", "· info", "✓ ok"):
        assert word in plain
    assert "\x1b[" not in plain
    assert re.search(r"\x1b\[[0-9;]*31m", shown(results, stream=Terminal()))
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", shown(results, stream=Terminal(), no_color="1"))


def test_the_gravest_comes_first_and_unknown_before_warning() -> None:
    """Whoever reads only the first lines reads what matters."""
    text = shown(
        [
            result("aaa", Status.OK),
            result("bbb", Status.WARNING, finding("warning", "w")),
            result("ccc", Status.UNKNOWN, blind=("u",)),
            result("ddd", Status.CRITICAL, finding("critical", "c")),
        ]
    )
    assert sorted(["ddd", "ccc", "bbb", "aaa"], key=text.index) == ["ddd", "ccc", "bbb", "aaa"]


def test_our_own_trouble_is_told_once_and_first() -> None:
    """Not in every row again."""
    trouble = "our resolver 192.0.2.53 does not answer"
    results = [result(check, Status.UNKNOWN, blind=(f"MX: {trouble}",)) for check in ("mx", "ns")]
    text = words(shown(results, own_trouble=trouble))
    assert text.startswith(f"The trouble is here, not at shop.example: {trouble}")
    assert text.count(trouble) == 1
    assert text.count("our own trouble, see above") == 2


def test_cut_off_ourselves_a_check_that_could_tell_nothing_says_no_more_than_that() -> None:
    """In whatever words each look failed; what could be told in part keeps its reason."""
    results = (
        result("mx", Status.UNKNOWN, blind=("shop.example MX: error (refused)",)),
        replace(result("mx", Status.UNKNOWN, blind=("no answer",)), target="192.0.2.1"),
        result("ns", Status.UNKNOWN, blind=("ns2 refuses",), known=1, subjects=2),
    )
    report = Report("shop.example", results, 1.0, "our resolver is dead", cut_off=True)
    rows = {row.check: (row.targets, str(row.found)) for row in rows_of(report)}
    assert rows == {
        "mx": ("192.0.2.1\nshop.example", "our own trouble, see above"),
        "ns": ("shop.example", "ns2 refuses"),
    }
    assert "mx unknown" not in str(line_of(report))
    assert str(line_of(report)).endswith("ns unknown, our own trouble: our resolver is dead")


def test_a_terminal_without_the_symbols_still_shows_the_words() -> None:
    """Output in an old encoding does not end in an exception."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    print_report(Report("shop.example", (result("mx", Status.OK),), 1.0), stream, {"COLUMNS": "80"})
    stream.flush()
    assert b"ok" in raw.getvalue()


@pytest.mark.parametrize(
    ("statuses", "status", "code", "says"),
    [
        ([], Status.UNKNOWN, 3, "no all-clear"),
        (["ok"], Status.OK, 0, "nothing wrong was found. 1 ok of 1 result"),
        (["ok", "warning"], Status.WARNING, 1, "should be mended. 1 warning, 1 ok of 2 results"),
        (
            ["warning", "unknown"],
            Status.UNKNOWN,
            3,
            "no all-clear. 1 unknown, 1 warning of 2 results",
        ),
        (["unknown", "critical", "ok"], Status.CRITICAL, 2, "1 critical, 1 unknown, 1 ok of 3"),
    ],
)
def test_the_last_line_and_the_exit_code_say_the_same(
    statuses: list[str], status: Status, code: int, says: str
) -> None:
    """Critical wins over unknown, unknown over warning; nothing looked at is unknown."""
    report = Report("x.example", tuple(result("c", Status(s)) for s in statuses), 1.0)
    assert (report.status, EXIT_CODES[report.status]) == (status, code)
    assert says in closing(report).plain


def test_json_has_these_keys_and_no_others() -> None:
    """Programs rest on them; what is not known, and the reason, stand only where there is such."""
    report = Report(
        "shop.example",
        (
            result("mx", Status.UNKNOWN, blind=("a", "b"), seconds=0.12345),
            result("spf", Status.WARNING, finding("warning", "s", fix="f", evidence="e")),
        ),
        1.0,
    )
    assert as_json(report) == {
        "target": "shop.example",
        "status": "unknown",
        "results": [
            {
                "check": "mx",
                "target": "shop.example",
                "status": "unknown",
                "findings": [],
                "seconds": 0.123,
                "not_known": ["a", "b"],
                "reason": "a; b",
            },
            {
                "check": "spf",
                "target": "shop.example",
                "status": "warning",
                "findings": [
                    {
                        "code": "spf.broken",
                        "severity": "warning",
                        "summary": "s",
                        "evidence": "e",
                        "fix": "f",
                    }
                ],
                "seconds": 0.0,
            },
        ],
    }


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("timeout", "record, 192.0.2.1: timeout"),
        ("more than 300 records", "record, 192.0.2.1: more than 300 records"),
        ("192.0.2.1: refused", "record: 192.0.2.1: refused"),
    ],
)
def test_what_is_not_known_is_named_unless_the_reason_names_it(reason: str, said: str) -> None:
    subjects = {s: KeptSubject(s, None, unknown_reason=reason) for s in ("record", "192.0.2.1")}
    kept = Kept("x", "shop.example", "shop.example", Status.UNKNOWN, 0.0, 0.0, None, subjects)
    assert result_of(OnceResult(kept, Outcome(()), 0.1)).blind == (said,)
