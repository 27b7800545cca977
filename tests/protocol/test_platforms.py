import pytest

from monitor.model import PlatformClass, Provider
from monitor.protocol.platforms import (
    PLATFORMS,
    platform_class,
    platform_of_include,
    provider_of_domain,
    provider_of_mx,
)
from monitor.protocol.selectors import USUAL_SELECTORS


@pytest.mark.parametrize(
    ("host", "platform"),
    [
        ("_spf.google.com", "google_workspace"),
        ("spf.protection.outlook.com", "microsoft365"),
        ("u123.wl.sendgrid.net", "sendgrid"),
        ("Amazonses.com.", "ses"),
        ("eu.mailgun.org", "mailgun"),
        ("spf.example.com", None),
        ("notsendgrid.net", None),
        ("", None),
    ],
)
def test_the_platform_behind_an_include(host: str, platform: str | None) -> None:
    found = platform_of_include(host)
    assert (found.name if found else None) == platform


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("google_workspace", PlatformClass.GOOGLE),
        ("microsoft365", PlatformClass.MICROSOFT),
        ("sendgrid", PlatformClass.SMTP),
        ("postfix", PlatformClass.SMTP),
    ],
)
def test_the_class_of_a_platform(name: str, expected: PlatformClass) -> None:
    assert platform_class(name) is expected


def test_no_include_belongs_to_two_platforms() -> None:
    includes = [include for platform in PLATFORMS for include in platform.includes]
    assert len(includes) == len(set(includes))


def test_selectors_name_platforms_that_exist() -> None:
    known = {platform.name for platform in PLATFORMS}
    assert {usual.platform for usual in USUAL_SELECTORS} - known == {""}


@pytest.mark.parametrize(
    ("domain", "provider"),
    [
        ("Gmail.com", Provider.GMAIL),
        ("hotmail.co.uk", Provider.OUTLOOK),
        ("live.nl", Provider.OUTLOOK),
        ("outlook.com.br", Provider.OUTLOOK),
        ("msn.com", Provider.OUTLOOK),
        ("yahoo.fr", Provider.YAHOO),
        ("yahoo.co.in", Provider.YAHOO),
        ("yahoo.co.jp", Provider.OTHER),
        ("aol.com", Provider.YAHOO),
        ("me.com", Provider.APPLE),
        ("example.com", None),
        ("mail.gmail.com", None),
        ("live.example", None),
    ],
)
def test_the_provider_of_a_consumer_domain(domain: str, provider: Provider | None) -> None:
    assert provider_of_domain(domain) is provider


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("gmail-smtp-in.l.google.com", Provider.GMAIL),
        ("alt1.gmail-smtp-in.l.google.com", Provider.GMAIL),
        ("alt1.aspmx.l.google.com", Provider.GOOGLE_WORKSPACE),
        ("smtp.google.com", Provider.GOOGLE_WORKSPACE),
        ("hotmail-com.olc.protection.outlook.com", Provider.OUTLOOK),
        ("example-com.mail.protection.outlook.com", Provider.MICROSOFT365),
        ("example-com.a-v1.mx.microsoft", Provider.MICROSOFT365),
        ("mta5.am0.yahoodns.net", Provider.YAHOO),
        ("mx01.mail.icloud.com", Provider.APPLE),
        ("mxa-001.gslb.pphosted.com", Provider.PROOFPOINT),
        ("eu-smtp-inbound-1.mimecast.com", Provider.MIMECAST),
        ("d1.ess.barracudanetworks.com", Provider.BARRACUDA),
        ("mx1.hc1.eu.iphmx.com.", Provider.CISCO),
        ("mx.example.com", Provider.OTHER),
        ("mypphosted.com", Provider.OTHER),
    ],
)
def test_the_provider_behind_an_mx_host(host: str, provider: Provider) -> None:
    assert provider_of_mx(host) is provider
