"""The dashboards say what the checks' folders say, in queries that Prometheus understands."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from monitor.check import Panel
from monitor.config.installed import installed_checks
from monitor.publish import dashboards, folder
from monitor.publish.board import DOMAIN, ORGANISATION
from monitor.publish.dashboards import render_dashboards
from monitor.publish.folder import FolderError
from monitor.publish.names import declared
from monitor.publish.rules import expr_problems
from tests.publish.prometheus_servers import PROMETHEUS, ask, prometheus

CHECKS = installed_checks()
GRAFANA = Path(__file__).parents[2] / "grafana"
VARIABLES = {
    "$__rate_interval": "5m",
    "$__interval": "1m",
    "$__range": "1h",
    "$domain": "a.example",
}


@pytest.fixture(scope="module")
def boards() -> dict[str, Any]:
    return {name: json.loads(text) for name, text in render_dashboards(CHECKS).items()}


def test_the_committed_dashboards_are_what_the_folders_say() -> None:
    committed = {
        path.name: path.read_text("utf-8") for path in (GRAFANA / "dashboards").glob("*.json")
    }
    assert committed == render_dashboards(CHECKS), "run `deliverability dashboards`"


def test_every_panel_of_every_check_is_on_its_board(boards: dict[str, Any]) -> None:
    shown = {
        (board.removeprefix("deliverability-").removesuffix(".json"), panel["title"], query["expr"])
        for board, content in boards.items()
        for panel in content["panels"]
        for query in panel.get("targets", ())
    }
    wanted = {(p.board, p.title, p.expr) for check in CHECKS.values() for p in folder.panels(check)}
    assert wanted - shown == set()


def test_panels_do_not_overlap_and_have_numbers_of_their_own(boards: dict[str, Any]) -> None:
    for content in boards.values():
        panels = content["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        places = [panel["gridPos"] for panel in panels]
        assert all(place["x"] + place["w"] <= 24 for place in places)
        assert not [pair for pair in combinations(places, 2) if _overlap(*pair)]


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    return (
        a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    )


def test_the_domain_board_asks_which_domain_and_both_ask_which_source(
    boards: dict[str, Any],
) -> None:
    variables = {
        name: [variable["name"] for variable in content["templating"]["list"]]
        for name, content in boards.items()
    }
    assert variables == {
        "deliverability-organisation.json": ["datasource"],
        "deliverability-domain.json": ["datasource", "domain"],
    }


def test_the_boards_own_panels_name_declared_metrics() -> None:
    names = declared(check.about for check in CHECKS.values())
    for section in (*ORGANISATION, *DOMAIN):
        for panel in section.panels:
            assert list(expr_problems(panel.expr, names)) == [], panel.title


GOOD = Panel(title="Canaries", expr="deliverability_canary_up")


@pytest.mark.parametrize(
    ("panel", "problem"),
    [
        (replace(GOOD, expr="deliverability_canaries_up"), "nothing declares the metric"),
        (replace(GOOD, expr='deliverability_canary_up{bird="x"}'), "has no label bird"),
        (replace(GOOD, kind="pie"), "kind must be one of"),
        (replace(GOOD, board="provider"), "board must be one of"),
        (
            replace(
                GOOD, expr='deliverability_domain_info{domain=~"$domain"}', board="organisation"
            ),
            "on the domain's board only",
        ),
    ],
)
def test_a_wrong_panel_is_named(
    panel: Panel, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dashboards.folder, "panels", lambda _: (panel,))
    with pytest.raises(FolderError, match=f"self: panel 'Canaries': .*{problem}"):
        render_dashboards({"self": CHECKS["self"]})


@pytest.fixture(scope="module")
def prometheus_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("prometheus")
    (path / "prometheus.yml").write_text("scrape_configs: []\n")
    with prometheus(path / "prometheus.yml", path) as url:
        yield url


@pytest.mark.servers
@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed")
def test_prometheus_understands_every_query(prometheus_url: str, boards: dict[str, Any]) -> None:
    wrong = []
    for content in boards.values():
        for panel in content["panels"]:
            for query in panel.get("targets", ()):
                expr = query["expr"]
                for name, value in VARIABLES.items():
                    expr = expr.replace(name, value)
                answer = ask(f"{prometheus_url}/api/v1/query?{urlencode({'query': expr})}")
                if answer["status"] != "success":
                    wrong.append((panel["title"], expr, answer["error"]))
    assert wrong == []
