"""Sending platforms behind SPF includes, and mailbox providers behind domains and MX hosts, as data."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from monitor.model import PlatformClass, Provider
from monitor.protocol.names import folded, with_parents


@dataclass(frozen=True, slots=True)
class Platform:
    """What a sender runs on.

    ``includes`` are the domains that its customers include in SPF; ``through`` names the platform
    whose servers it sends from, with that one's includes.
    """

    name: str
    platform_class: PlatformClass
    includes: tuple[str, ...] = ()
    through: str = ""


_SMTP, _GOOGLE, _MICROSOFT = PlatformClass.SMTP, PlatformClass.GOOGLE, PlatformClass.MICROSOFT

# What the platforms tell their customers to include. A domain stands for itself and everything
# below it. A missing or outdated entry costs a platform's name, never a finding.
PLATFORMS: tuple[Platform, ...] = (
    Platform("google_workspace", _GOOGLE, ("_spf.google.com",)),
    Platform("microsoft365", _MICROSOFT, ("spf.protection.outlook.com",)),
    Platform("sendgrid", _SMTP, ("sendgrid.net",)),
    Platform("ses", _SMTP, ("amazonses.com",)),
    Platform("mailchimp", _SMTP, ("servers.mcsv.net",)),
    Platform("mandrill", _SMTP, ("spf.mandrillapp.com",)),
    Platform("mailgun", _SMTP, ("mailgun.org",)),
    Platform("postmark", _SMTP, ("spf.mtasv.net", "spf.postmarkapp.com")),
    Platform("sparkpost", _SMTP, ("sparkpostmail.com",)),
    Platform("mailjet", _SMTP, ("spf.mailjet.com",)),
    Platform("brevo", _SMTP, ("brevo.com", "sendinblue.com")),
    Platform("mailersend", _SMTP, ("_spf.mailersend.net",)),
    Platform("elastic_email", _SMTP, ("_spf.elasticemail.com",)),
    Platform("resend", _SMTP, through="ses"),
    Platform("klaviyo", _SMTP),  # uses a domain of its own as envelope sender
    Platform("smtp2go", _SMTP, ("spf.smtp2go.com",)),
    Platform("salesforce", _SMTP, ("_spf.salesforce.com",)),
    Platform("salesforce_marketing_cloud", _SMTP, ("cust-spf.exacttarget.com",)),
    Platform("marketo", _SMTP, ("mktomail.com",)),
    Platform("hubspot", _SMTP, ("hubspotemail.net",)),
    Platform("zendesk", _SMTP, ("mail.zendesk.com",)),
    Platform("freshdesk", _SMTP, ("email.freshdesk.com", "fdspfus.freshemail.io")),
    Platform("helpscout", _SMTP, ("helpscoutemail.com",)),
    Platform("intercom", _SMTP, ("intercom.io",)),
    Platform("campaign_monitor", _SMTP, ("_spf.createsend.com",)),
    Platform("constant_contact", _SMTP, ("spf.constantcontact.com",)),
    Platform("activecampaign", _SMTP, ("emsd1.com",)),
    Platform("shopify", _SMTP, ("shops.shopify.com",)),
    Platform("atlassian", _SMTP, ("_spf.atlassian.net",)),
    Platform("zoho", _SMTP, ("zoho.com", "zoho.eu", "zohomail.com", "zohomail.eu")),
    Platform("fastmail", _SMTP, ("spf.messagingengine.com",)),
    Platform("proton", _SMTP, ("_spf.protonmail.ch",)),
    Platform("icloud", _SMTP, ("icloud.com",)),
    Platform("ovh", _SMTP, ("mx.ovh.com",)),
    Platform("ionos", _SMTP, ("_spf-eu.ionos.com", "_spf-us.ionos.com", "_spf.perfora.net")),
    Platform("gandi", _SMTP, ("_mailcust.gandi.net",)),
    Platform("mailchannels", _SMTP, ("relay.mailchannels.net",)),
    Platform("proofpoint", _SMTP, ("pphosted.com", "ppe-hosted.com")),
    Platform("mimecast", _SMTP, ("_netblocks.mimecast.com",)),
    Platform("barracuda", _SMTP, ("spf.ess.barracudanetworks.com",)),
    Platform("cisco", _SMTP, ("iphmx.com",)),
)
_BY_NAME: Mapping[str, Platform] = {platform.name: platform for platform in PLATFORMS}
_BY_INCLUDE: Mapping[str, Platform] = {
    include: platform for platform in PLATFORMS for include in platform.includes
}

# The suffix of MX hosts -> who receives. Consumer mail of Microsoft and Google has its own hosts.
_BY_MX: Mapping[str, Provider] = {
    "gmail-smtp-in.l.google.com": Provider.GMAIL,
    "aspmx.l.google.com": Provider.GOOGLE_WORKSPACE,
    "googlemail.com": Provider.GOOGLE_WORKSPACE,
    "smtp.google.com": Provider.GOOGLE_WORKSPACE,
    "olc.protection.outlook.com": Provider.OUTLOOK,
    "mail.protection.outlook.com": Provider.MICROSOFT365,
    "mx.microsoft": Provider.MICROSOFT365,
    "yahoodns.net": Provider.YAHOO,
    "mail.icloud.com": Provider.APPLE,
    "pphosted.com": Provider.PROOFPOINT,
    "ppe-hosted.com": Provider.PROOFPOINT,
    "mimecast.com": Provider.MIMECAST,
    "mimecast.co.za": Provider.MIMECAST,
    "mimecast-offshore.com": Provider.MIMECAST,
    "barracudanetworks.com": Provider.BARRACUDA,
    "iphmx.com": Provider.CISCO,
}

_CONSUMER: Mapping[str, Provider] = {
    "gmail.com": Provider.GMAIL,
    "googlemail.com": Provider.GMAIL,
    "msn.com": Provider.OUTLOOK,
    "passport.com": Provider.OUTLOOK,
    "windowslive.com": Provider.OUTLOOK,
    "ymail.com": Provider.YAHOO,
    "rocketmail.com": Provider.YAHOO,
    "aol.com": Provider.YAHOO,
    "aim.com": Provider.YAHOO,
    "icloud.com": Provider.APPLE,
    "me.com": Provider.APPLE,
    "mac.com": Provider.APPLE,
    "privaterelay.appleid.com": Provider.APPLE,
    "yahoo.co.jp": Provider.OTHER,  # another company with its own systems
}
_COUNTRY = r"\.(?:com|[a-z]{2}|com?\.[a-z]{2})"
_CONSUMER_BRANDS = (
    (re.compile(rf"(?:hotmail|outlook|live){_COUNTRY}"), Provider.OUTLOOK),
    (re.compile(rf"yahoo{_COUNTRY}"), Provider.YAHOO),
)


def platform_of_include(host: str) -> Platform | None:
    """The platform whose servers an SPF include admits; None where it is none that we know."""
    return next((_BY_INCLUDE[name] for name in with_parents(host) if name in _BY_INCLUDE), None)


def platform_class(name: str) -> PlatformClass:
    """The class of a platform by its name; what is not one of the two big suites speaks SMTP."""
    return _BY_NAME[name].platform_class if name in _BY_NAME else PlatformClass.SMTP


def includes_of(name: str) -> tuple[str, ...]:
    """The domains that customers of a platform include in SPF, () where none is known."""
    platform = _BY_NAME.get(name)
    if platform is None:
        return ()
    return includes_of(platform.through) if platform.through else platform.includes


def provider_of_domain(recipient_domain: str) -> Provider | None:
    """The provider of a well-known consumer domain; None where only its MX can tell."""
    domain = folded(recipient_domain)
    if domain in _CONSUMER:
        return _CONSUMER[domain]
    return next((p for pattern, p in _CONSUMER_BRANDS if pattern.fullmatch(domain)), None)


def provider_of_mx(host: str) -> Provider:
    """The provider behind an MX host, `Provider.OTHER` where it is none that we know."""
    return next((_BY_MX[name] for name in with_parents(host) if name in _BY_MX), Provider.OTHER)
