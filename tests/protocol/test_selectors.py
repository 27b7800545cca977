import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.platforms import KNOWN_PLATFORMS
from monitor.protocol import selectors


@pytest.mark.parametrize(
    ("host", "platform"),
    [
        ("s1.domainkey.u123.wl.sendgrid.net", "sendgrid"),
        ("Selector1-example-com._domainkey.Tenant.OnMicrosoft.com.", "microsoft365"),
        ("selector1-example-com._domainkey.tenant.n-v1.dkim.mail.microsoft", "microsoft365"),
        ("abc.dkim.amazonses.com", "ses"),
        ("zendesk1._domainkey.zendesk.com", "zendesk"),
        ("help.zendesk.com", None),
        ("notsendgrid.net", None),
        ("", None),
    ],
)
def test_the_platform_that_keeps_a_key_is_known_by_its_name(
    host: str, platform: str | None
) -> None:
    assert selectors.platform_of_key_host(host) == platform


def test_some_platforms_send_through_others() -> None:
    assert selectors.keeps_keys("klaviyo", "sendgrid")
    assert selectors.keeps_keys("sendgrid", "sendgrid")
    assert not selectors.keeps_keys("sendgrid", "klaviyo")


def test_every_platform_named_can_be_declared() -> None:
    """Else the advice to declare it could not be followed."""
    assert set(selectors._KEY_HOSTS.values()) | set(selectors._SENDS_THROUGH) <= KNOWN_PLATFORMS


@given(st.text(max_size=300))
@settings(max_examples=50)
def test_any_name_is_looked_up(host: str) -> None:
    assert selectors.platform_of_key_host(host) in {None, *KNOWN_PLATFORMS}
