"""Every measurement and its peer in the same run, as one table.

python bench/run.py [--seconds N] [--rounds N] [--only WORD] [--write]

Each case is a process of its own; ours and the peer's take turns, and medians are compared.
`--write` puts the table into bench/README.md.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from measure import Figures, started_lab

HERE = Path(__file__).parent
README = HERE / "README.md"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a figure of two cases."""

    work: str
    figure: str
    unit: str
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two cases of one script, or one alone where nobody else does it. Long ones run once."""

    script: str
    ours: str
    peer: str
    """"" where there is none."""
    peer_name: str
    rows: tuple[Row, ...]
    place: str = ""
    once: bool = False


SCHEDULER = (
    Row("100,000 targets an hour: memory of the process", "resident_mib", "MiB", 300),
    Row("100,000 targets an hour: CPU of a core", "cpu_percent", "%", 1),
    Row("100,000 targets an hour: lateness, p99", "lateness_p99", "s", 2),
)
PUBLISHED = (
    Row("the same, 600,000 series published: memory of the process", "resident_mib", "MiB", 300),
    Row("the same, 600,000 series published: CPU of a core", "cpu_percent", "%"),
    Row("the same, 600,000 series published: lateness, p99", "lateness_p99", "s", 2),
)
LOOK = (
    Row("a full look at a domain, resolver 20 ms away", "seconds", "s", 1.5),
    Row("a full look at a domain: CPU", "cpu_ms", "ms"),
)
BULK = (
    Row("1,000 domains in bulk, resolver 20 ms away: time a domain", "ms_a_domain", "ms"),
    Row("1,000 domains in bulk: CPU a domain", "cpu_ms_a_domain", "ms"),
)
LOOKUPS = (Row("1,000,000 blocklist lookups: CPU of one", "us_a_lookup", "µs"),)
LOOKUP_RATE = (Row("1,000,000 blocklist lookups", "lookups_a_second", "a second"),)
LOSSY = (
    Row("blocklist lookups, 20 ms away, 5 % lost: listings found of 1,000", "listings_found", ""),
    Row("blocklist lookups, 20 ms away, 5 % lost", "lookups_a_second", "a second"),
)
STATE = (
    Row("100,000 addresses in 60 zones as state: memory", "resident_mib", "MiB", 400),
    Row("100,000 addresses in 60 zones as state: one scrape", "scrape_seconds", "s", 0.5),
)
SWEEP = (
    Row("/metrics while 10,240 addresses are looked at in 60 zones, p99", "p99_ms", "ms", 100),
    Row("the sweep meanwhile", "lookups_a_second", "lookups/s"),
    Row("the sweep: CPU of the daemon for a lookup, all in all", "us_a_lookup", "µs"),
)
JOBS = "APScheduler, a job a target"

COMPARISONS = (
    Comparison("scheduler.py", "ours", "peer", JOBS, SCHEDULER, place="state", once=True),
    Comparison("scheduler.py", "ours_published", "peer", JOBS, PUBLISHED, place="state", once=True),
    Comparison(
        "exposition.py",
        "ours",
        "peer",
        "prometheus_client",
        (
            Row("100,000 series: one scrape", "seconds", "s"),
            Row("100,000 series: memory that it takes", "peak_mib", "MiB"),
        ),
    ),
    Comparison(
        "hooks.py",
        "ours",
        "peer",
        "json.loads alone",
        (
            Row("hooks, 1,000 events a request: durable", "events_a_second", "events/s"),
            Row("hooks: CPU an event", "us_an_event", "µs"),
        ),
    ),
    Comparison(
        "outside.py",
        "dns",
        "dns_peer",
        "dnspython asyncresolver",
        (
            Row("DNS lookup: CPU", "us_a_question", "µs"),
            Row("DNS lookups (the lab answers)", "questions_a_second", "a second"),
        ),
        place="lab",
    ),
    Comparison(
        "outside.py",
        "probe",
        "probe_peer",
        "aiosmtplib, own context",
        (Row("STARTTLS probe: CPU of the client", "cpu_ms", "ms"),),
        place="lab",
    ),
    Comparison(
        "outside.py",
        "probe",
        "probe_shared",
        "aiosmtplib, shared context",
        (Row("STARTTLS probe: CPU of the client", "cpu_ms", "ms"),),
        place="lab",
    ),
    Comparison("lookups.py", "ours", "dnspython", "dnspython asyncresolver", LOOKUPS, once=True),
    Comparison("lookups.py", "ours", "pydnsbl", "pydnsbl", LOOKUPS, once=True),
    Comparison("lookups.py", "ours", "dnsperf", "dnsperf", LOOKUP_RATE, once=True),
    Comparison("lookups.py", "ours_lossy", "", "", LOSSY, once=True),
    Comparison("blocklists.py", "state", "", "", STATE, once=True),
    Comparison("blocklists.py", "sweep", "", "", SWEEP, once=True),
    Comparison("domains.py", "ours_one", "peer_one", "checkdmarc", LOOK, once=True),
    Comparison("domains.py", "ours_bulk", "peer_bulk", "checkdmarc", BULK, once=True),
)

Measure = Callable[[str, str, str], Figures]


@contextmanager
def measuring(folder: Path, seconds: float) -> Iterator[Measure]:
    """Runs a case by script, name and place; what the places need is made when first asked for."""
    places: dict[str, Path] = {}
    lab: list[subprocess.Popen[bytes]] = []

    def run(script: str, case: str, place: str) -> Figures:
        if place and place not in places:
            places[place] = folder / place
            places[place].mkdir()
            if place == "state":
                _run("scheduler.py", "fill", str(seconds), str(places[place]))
            else:
                lab.append(started_lab(places[place]))
        arguments = [str(seconds)] if place == "state" else []
        return _run(script, case, *arguments, *([str(places[place])] if place else []))

    try:
        yield run
    finally:
        for process in lab:
            process.terminate()
            process.wait(15)


def _run(*arguments: str) -> Figures:
    script, *rest = arguments
    done = subprocess.run(
        [sys.executable, str(HERE / script), *rest],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    return json.loads(done.stdout.splitlines()[-1])


def measured(comparison: Comparison, measure: Measure, rounds: int) -> tuple[Figures, Figures]:
    """The medians of ours and of the peer's figures."""
    ours, peers = [], []
    for _ in range(1 if comparison.once else rounds):
        ours.append(measure(comparison.script, comparison.ours, comparison.place))
        if comparison.peer:
            peers.append(measure(comparison.script, comparison.peer, comparison.place))
    return _medians(ours), _medians(peers) if peers else {}


def _medians(runs: list[Figures]) -> Figures:
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def lines_of(comparison: Comparison, ours: Figures, peer: Figures) -> Iterator[str]:
    for row in comparison.rows:
        mine, other = ours[row.figure], peer.get(row.figure)
        limit = "" if row.limit is None else f"{row.limit:g} {row.unit}"
        ratio = f"{mine / other:.3g}" if other else ""
        cells = (
            row.work,
            f"{_number(mine)} {row.unit}",
            "" if other is None else f"{_number(other)} {row.unit}",
            comparison.peer_name,
            ratio,
            limit,
        )
        yield "| " + " | ".join(cells) + " |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


HEAD = (
    "| work | ours | peer | which peer | ours / peer | limit |",
    "| --- | ---: | ---: | --- | ---: | ---: |",
)


def machine() -> str:
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    libraries = ", ".join(
        f"{name} {version(name)}"
        for name in ("apscheduler", "prometheus-client", "dnspython", "aiosmtplib", "checkdmarc")
    )
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}; {libraries}."
    )


def written(text: str, table: list[str]) -> str:
    """The README with this table and this machine between its marks."""
    inside = "\n".join(["<!-- table -->", machine(), "", *table, "<!-- end of table -->"])
    return re.sub("<!-- table -->.*<!-- end of table -->", lambda _: inside, text, flags=re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long schedulers are watched")
    parser.add_argument("--rounds", type=int, default=5, help="of each short measurement")
    parser.add_argument("--only", default="", help="a word of the script's or the peer's name")
    parser.add_argument("--write", action="store_true", help="put the table into bench/README.md")
    options = parser.parse_args()
    chosen = [c for c in COMPARISONS if options.only in f"{c.script} {c.peer_name}"]
    table = list(HEAD)
    print(machine(), *table, sep="\n", flush=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        measuring(Path(folder), options.seconds) as measure,
    ):
        for comparison in chosen:
            for line in lines_of(comparison, *measured(comparison, measure, options.rounds)):
                table.append(line)
                print(line, flush=True)
    if options.write:
        README.write_text(written(README.read_text("utf-8"), table), "utf-8")


if __name__ == "__main__":
    main()
