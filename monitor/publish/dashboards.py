"""The Grafana dashboards: what the daemon knows of every check, and the panels of each check.

Built with the typed builders of grafana-foundation-sdk (the extra `dashboards`).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions,
    StackingConfig,
    VizLegendOptions,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from monitor.check import Panel
from monitor.config.sections import Checks
from monitor.publish import folder
from monitor.publish.board import DOMAIN, ORGANISATION, TITLES, Section
from monitor.publish.folder import FolderError
from monitor.publish.names import declared
from monitor.publish.rules import expr_problems

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

Builder = stat.Panel | table.Panel | timeseries.Panel

GRID_WIDTH = 24

COLOURS = {
    "critical": "red",
    "warning": "orange",
    "info": "blue",
    "unknown": "purple",
    "ok": "green",
    "page": "red",
    "ticket": "orange",
}


def render_dashboards(checks: Checks) -> dict[str, str]:
    """File name -> dashboard as JSON; equal input gives equal text.

    Raises:
        FolderError: with every problem of every check's panels, one line each.
    """
    own = _panels_by_check(checks)
    return {
        f"{uid(board)}.json": _json(
            _dashboard(board, [*sections, *_sections_of(board, checks, own)])
        )
        for board, sections in (("organisation", ORGANISATION), ("domain", DOMAIN))
    }


def uid(board: str) -> str:
    """A board's identifier in Grafana, which is part of its address."""
    return f"deliverability-{board}"


def _panels_by_check(checks: Checks) -> dict[str, tuple[Panel, ...]]:
    names = declared(check.about for check in checks.values())
    found: dict[str, tuple[Panel, ...]] = {}
    problems: list[str] = []
    for name in sorted(checks):
        try:
            found[name] = folder.panels(checks[name])
        except FolderError as error:
            problems += error.problems
            continue
        for panel in found[name]:
            said = [*_shape_problems(panel), *expr_problems(panel.expr, names)]
            problems += [f"{name}: panel {panel.title!r}: {problem}" for problem in said]
    if problems:
        raise FolderError(problems)
    return found


def _shape_problems(panel: Panel) -> Iterator[str]:
    if panel.kind not in KINDS:
        yield f"kind must be one of {', '.join(KINDS)}, not {panel.kind}"
    if panel.board not in TITLES:
        yield f"board must be one of {', '.join(TITLES)}, not {panel.board}"
    if panel.board == "organisation" and "$domain" in panel.expr:
        yield "$domain is known on the domain's board only"


def _sections_of(
    board: str, checks: Checks, panels: dict[str, tuple[Panel, ...]]
) -> Iterator[Section]:
    for name in sorted(checks):
        here = tuple(panel for panel in panels[name] if panel.board == board)
        if here:
            yield Section(checks[name].about.title, here)


def _dashboard(board: str, sections: list[Section]) -> model.Dashboard:
    dashboard = (
        build.Dashboard(f"Deliverability: {board}")
        .uid(uid(board))
        .description(TITLES[board])
        .tags(["deliverability"])
        .refresh("30s")
        .time("now-24h", "now")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .readonly()
        .link(
            build.DashboardLink("Deliverability")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags(["deliverability"])
            .include_vars(True)
            .keep_time(True)
        )
        .with_variable(
            build.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
    )
    if board == "domain":
        dashboard.with_variable(_domain_variable())
    for placed in _placed(sections):
        if isinstance(placed.content, str):
            row = build.Row(placed.content).id(placed.number).grid_pos(placed.position)
            dashboard.with_row(row)
        else:
            panel = _panel(placed.content).id(placed.number).grid_pos(placed.position)
            dashboard.with_panel(panel)
    return dashboard.build()


def _domain_variable() -> build.QueryVariable:
    return (
        build.QueryVariable("domain")
        .label("Domain")
        .datasource(DATASOURCE)
        .query("label_values(deliverability_domain_info, domain)")
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
    )


@dataclass(frozen=True, slots=True)
class _Placed:
    """A row's title or a panel, with its number and its place on the grid."""

    content: str | Panel
    number: int
    position: model.GridPos


def _placed(sections: list[Section]) -> Iterator[_Placed]:
    number, y = 0, 0
    for section in sections:
        number += 1
        yield _Placed(section.title, number, model.GridPos(h=1, w=GRID_WIDTH, x=0, y=y))
        y, x, tallest = y + 1, 0, 0
        for panel in section.panels:
            number += 1
            size = KINDS[panel.kind]
            if x + size.width > GRID_WIDTH:
                y, x, tallest = y + tallest, 0, 0
            yield _Placed(panel, number, model.GridPos(h=size.height, w=size.width, x=x, y=y))
            x, tallest = x + size.width, max(tallest, size.height)
        y += tallest


def _panel(panel: Panel) -> Builder:
    builder = KINDS[panel.kind].build(panel)
    return (
        builder.title(panel.title)
        .description(panel.description)
        .datasource(DATASOURCE)
        .unit(panel.unit)
    )


def _query(panel: Panel) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .expr(panel.expr)
        .legend_format(panel.legend)
        .datasource(DATASOURCE)
        .ref_id("A")
    )


def _stat(panel: Panel) -> stat.Panel:
    return (
        stat.Panel()
        .with_target(_query(panel).instant())
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .graph_mode(BigValueGraphMode.NONE)
        .color_mode(BigValueColorMode.NONE)
    )


def _timeseries(panel: Panel) -> timeseries.Panel:
    return (
        timeseries.Panel()
        .with_target(_query(panel).range())
        .fill_opacity(10)
        .stacking(StackingConfig().mode(StackingMode.NONE))
        .legend(
            VizLegendOptions()
            .show_legend(True)
            .display_mode(LegendDisplayMode.LIST)
            .placement(LegendPlacement.BOTTOM)
        )
    )


def _table(panel: Panel) -> table.Panel:
    hidden = {"excludeByName": {"Time": True}, "renameByName": {"Value": "value"}}
    return _plain_table(panel).with_transformation(
        model.DataTransformerConfig(id_val="organize", options=hidden)
    )


def _matrix(panel: Panel) -> table.Panel:
    """A row a domain, a column a status."""
    fields = {"rowField": "domain", "columnField": "status", "valueField": "Value"}
    return _plain_table(panel).with_transformation(
        model.DataTransformerConfig(id_val="groupingToMatrix", options=fields)
    )


def _plain_table(panel: Panel) -> table.Panel:
    colours = model.ValueMap(
        {
            value: model.ValueMappingResult(color=colour, index=index)
            for index, (value, colour) in enumerate(COLOURS.items())
        }
    )
    coloured = [
        model.DynamicConfigValue("mappings", [colours]),
        model.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
    ]
    link = {
        "title": "Open the domain",
        "url": f"/d/{uid('domain')}?var-domain=${{__value.raw}}&var-datasource=${{datasource}}",
    }
    return (
        table.Panel()
        .with_target(_query(panel).instant().format(PromQueryFormat.TABLE))
        .override_by_regexp("^(severity|status)$", coloured)
        .override_by_regexp("^domain", [model.DynamicConfigValue("links", [link])])
    )


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a kind of panel is built, and its size in grid units."""

    build: Callable[[Panel], Builder]
    width: int
    height: int


KINDS = {
    "stat": _Kind(_stat, 6, 4),
    "timeseries": _Kind(_timeseries, 12, 8),
    "table": _Kind(_table, 12, 8),
    "matrix": _Kind(_matrix, 12, 8),
}
"""`matrix` is a table with a row a domain and a column a status."""


def _json(dashboard: model.Dashboard) -> str:
    return json.dumps(dashboard, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
