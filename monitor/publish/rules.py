"""All alert rules of all checks as one Prometheus rule file, and what a rule must be to get in.

The rules lie in the checks' folders (`alerts.yaml`) and say nothing of where runbooks and dashboards
are served, nor that they need DNS; that is added here.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from monitor.check import About, Check
from monitor.config.sections import Checks
from monitor.model import AddressTarget, DomainTarget, HostTarget, NamedDomainTarget, Target
from monitor.publish import folder
from monitor.publish.folder import FolderError
from monitor.publish.names import PREFIX, Metric, declared
from monitor.publish.promql import Selector, selectors

RUNBOOK_BASE = "http://127.0.0.1:9825/runbooks"
"""Where the daemon itself serves the runbooks."""

DASHBOARD_BASE = "http://127.0.0.1:3000/d"
"""Where a local Grafana serves the dashboards."""

WATCHDOG = "DeliverabilityWatchdog"
"""It always fires, so it is neither page nor ticket: its severity is `watchdog`, and Alertmanager sends it apart."""

NEED_DNS: tuple[type[Target], ...] = (DomainTarget, AddressTarget, HostTarget, NamedDomainTarget)
"""Targets that nobody can look at without a resolver; rules of checks that look at any get the label `needs: dns`."""

SCRAPE_LABELS = frozenset({"job", "instance", "pod", "le"})
"""Labels that the scrape and histograms add to every series."""

HEADER = "# Rendered by `deliverability rules` from the alerts.yaml of each check. Edit those, not this file.\n"

Rule = dict[str, Any]
Group = dict[str, Any]


def render_rules(
    checks: Checks, *, runbook_base: str = RUNBOOK_BASE, dashboard_base: str = DASHBOARD_BASE
) -> str:
    """The rule file of these checks, in the order of their names; equal input gives equal text.

    Raises:
        FolderError: with every problem of every folder, one line each.
    """
    rendered = [
        {
            "name": group["name"],
            "rules": [
                _completed(rule, checks[name].about, runbook_base, dashboard_base)
                for rule in group["rules"]
            ],
        }
        for name, group in valid_groups(checks).items()
    ]
    return HEADER + yaml.dump({"groups": rendered}, Dumper=_Dumper, sort_keys=False, width=10_000)


def valid_groups(checks: Checks) -> dict[str, Group]:
    """The checks' rule groups as their folders have them, by check in the order of their names.

    Raises:
        FolderError: with every problem of every folder, one line each.
    """
    groups: dict[str, Group] = {}
    problems: list[str] = []
    names = declared(check.about for check in checks.values())
    for name in sorted(checks):
        try:
            groups[name] = _group(checks[name])
            rules = groups[name]["rules"]
            problems += [f"{name}: {found}" for found in _problems(checks[name], rules, names)]
        except FolderError as error:
            problems += error.problems
    if problems:
        raise FolderError(problems)
    return groups


def runbook_url(base: str, check: str, alert: str) -> str:
    """The address of an alert's section, made from the names alone."""
    return f"{base}/{check}.md#{alert.lower()}"


def dashboard_url(base: str) -> str:
    """The domain's board where the alert names a domain, else the organisation's (a Prometheus template)."""
    return (
        f"{base}/deliverability-{{{{ with $labels.domain }}}}domain?var-domain={{{{ . }}}}"
        "{{ else }}organisation{{ end }}"
    )


def _group(check: type[Check[Any]]) -> Group:
    name = check.about.name
    try:
        document = yaml.safe_load(folder.text(check, "alerts.yaml"))
    except yaml.YAMLError as error:
        raise FolderError([f"{name}: alerts.yaml is no YAML: {error}"]) from None
    match document:
        case {"groups": [{"name": group, "rules": [*_]} as only]} if (
            group == f"deliverability-{name}"
        ):
            return dict(only)
    raise FolderError([f"{name}: alerts.yaml must have one group, deliverability-{name}"])


def _problems(
    check: type[Check[Any]], rules: list[Rule], names: Mapping[str, Metric]
) -> Iterator[str]:
    about = check.about
    for rule in rules:
        title = str(rule.get("alert", "a rule without `alert`"))
        yield from (f"{title}: {problem}" for problem in _shape_problems(title, rule))
        yield from (
            f"{title}: {problem}" for problem in expr_problems(str(rule.get("expr", "")), names)
        )
        yield from (f"{title}: {problem}" for problem in _code_problems(about, rule))
    sections = folder.runbook_sections(check)
    needed = [str(r.get("alert")) for r in rules] + [f"{about.name}.{c.name}" for c in about.codes]
    yield from (f"runbook.md has no section `## {n}`" for n in needed if n not in sections)


def _shape_problems(title: str, rule: Rule) -> Iterator[str]:
    if not re.fullmatch(r"Deliverability[A-Z]\w+", title):
        yield "its name must start with Deliverability"
    severity = rule.get("labels", {}).get("severity")
    if severity not in ({"watchdog"} if title == WATCHDOG else {"page", "ticket"}):
        yield f"severity must be page or ticket, not {severity}"
    for annotation in ("summary", "description"):
        if not rule.get("annotations", {}).get(annotation):
            yield f"the annotation {annotation} is missing"
    if severity == "page" and "keep_firing_for" not in rule:
        yield "a page needs keep_firing_for, or a failed scrape resolves it"


def expr_problems(expr: str, names: Mapping[str, Metric]) -> Iterator[str]:
    """What an expression names that nobody declares: series, and labels of series."""
    for selector in selectors(expr):
        metric = names.get(selector.metric)
        if metric is None:
            yield f"nothing declares the metric {selector.metric}"
            continue
        for matcher in selector.matchers:
            if matcher.label not in SCRAPE_LABELS.union(metric.labels):
                yield f"{selector.metric} has no label {matcher.label}"


def _code_problems(about: About, rule: Rule) -> Iterator[str]:
    codes = {f"{about.name}.{code.name}" for code in about.codes}
    for selector in selectors(str(rule.get("expr", ""))):
        if not _looks_at(about, selector):
            continue
        matchers = [m for m in selector.matchers if m.label == "code"]
        if not any(all(m.accepts(code) for m in matchers) for code in codes):
            yield f"no code of the check matches {[m.value for m in matchers]}"


def _looks_at(about: About, selector: Selector) -> bool:
    return selector.metric == f"{PREFIX}findings" and all(
        m.accepts(about.name) for m in selector.matchers if m.label == "check"
    )


def _completed(rule: Rule, about: About, runbook_base: str, dashboard_base: str) -> Rule:
    annotations = {
        **rule["annotations"],
        "description": rule["annotations"]["description"].rstrip() + _since(rule),
        "runbook_url": runbook_url(runbook_base, about.name, rule["alert"]),
        "dashboard_url": dashboard_url(dashboard_base),
    }
    # Alertmanager silences these while our resolver is dead: every look at them begins with DNS.
    needs = {"needs": "dns"} if set(about.target_types) & set(NEED_DNS) else {}
    return {**rule, "labels": {**needs, **rule["labels"]}, "annotations": annotations}


def _since(rule: Rule) -> str:
    """Since when, for an alert that rests on open findings (a Prometheus template; "" where it has no code)."""
    if f"{PREFIX}findings" not in rule["expr"]:
        return ""
    since = f"min({PREFIX}finding_since_timestamp_seconds{{domain=%q,check=%q,code=%q}})"
    labels = "$labels.domain $labels.check $labels.code"
    return (
        f'{{{{- with printf "{since}" {labels} | query }}}}'
        " Open since {{ . | first | value | humanizeTimestamp }}.{{ end }}"
    )


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, as a person would."""

    def represent_text(self, text: str) -> yaml.ScalarNode:
        style = "|" if "\n" in text else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)
