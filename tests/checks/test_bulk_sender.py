"""The requirements as data: they rest on findings that exist, and no two are told as one."""

from importlib.metadata import entry_points

from checks.bulk_sender.facts import BREAKING
from checks.bulk_sender.requirements import rules
from monitor.model import Provider


def test_what_breaks_a_requirement_is_a_finding_of_an_installed_check() -> None:
    found = {
        point.name: point.load().about for point in entry_points(group="deliverability.checks")
    }
    known = {f"{name}.{code.name}" for name, about in found.items() for code in about.codes}
    assert BREAKING - known == set()


def test_the_four_consumer_services_and_no_business_service_are_described() -> None:
    consumer = {Provider.GMAIL, Provider.YAHOO, Provider.OUTLOOK, Provider.APPLE}
    assert set(rules().providers) == consumer


def test_each_requirement_of_a_provider_has_its_own_name_and_label() -> None:
    for demanded in rules().providers.values():
        for names in zip(*((r.id, r.name) for r in demanded.requirements), strict=True):
            assert len(set(names)) == len(names)
