"""DKIM selectors that platforms use by default, and the hosts to which they have customers alias keys."""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.protocol.names import with_parents


@dataclass(frozen=True, slots=True)
class UsualSelector:
    """A selector and the platform that gives it to its customers ("" for several)."""

    selector: str
    platform: str = ""


# The comments say where each platform documents its own. Platforms whose selectors differ by
# customer (Amazon SES, SparkPost, HubSpot, Salesforce, Mailgun's newer domains) cannot be guessed:
# declare theirs. A selector is a hint: anyone may call theirs `google`.
USUAL_SELECTORS: tuple[UsualSelector, ...] = (
    UsualSelector("google", "google_workspace"),  # support.google.com/a/answer/174124
    UsualSelector("selector1", "microsoft365"),  # learn.microsoft.com: email-authentication-dkim
    UsualSelector("selector2", "microsoft365"),
    UsualSelector("s1", "sendgrid"),  # sendgrid.com/docs: automated security
    UsualSelector("s2", "sendgrid"),
    UsualSelector(
        "k1", "mailchimp"
    ),  # mailchimp.com/help: domain authentication; older, and Mailgun
    UsualSelector("k2", "mailchimp"),
    UsualSelector("k3", "mailchimp"),
    UsualSelector("mte1", "mandrill"),  # mailchimp.com/developer/transactional: sending domains
    UsualSelector("mte2", "mandrill"),
    UsualSelector("pm", "postmark"),  # postmarkapp.com/support: verify a domain
    UsualSelector("mailjet", "mailjet"),  # documentation.mailjet.com: SPF and DKIM
    UsualSelector("brevo1", "brevo"),  # help.brevo.com: authenticate your domain
    UsualSelector("brevo2", "brevo"),
    UsualSelector("zendesk1", "zendesk"),  # support.zendesk.com: digital signature for email
    UsualSelector("zendesk2", "zendesk"),
    UsualSelector("resend", "resend"),  # resend.com/docs: domains
    UsualSelector("kl", "klaviyo"),  # help.klaviyo.com: dedicated sending domain
    UsualSelector("cm", "campaign_monitor"),  # help.campaignmonitor.com: authenticate your domain
    UsualSelector("intercom", "intercom"),  # intercom.com/help: authenticate your domain
    UsualSelector("zoho", "zoho"),  # zoho.com/mail/help: DKIM configuration
    UsualSelector("protonmail", "proton"),  # proton.me/support: custom domain
    UsualSelector("fm1", "fastmail"),  # fastmail.help: manual DNS configuration
    UsualSelector("sig1", "icloud"),  # support.apple.com: custom email domain
    UsualSelector("default"),  # cPanel, Plesk and OpenDKIM's examples
    UsualSelector("mail"),  # OpenDKIM's and Rspamd's examples, older Brevo
    UsualSelector("dkim"),  # Rspamd's default
)

# Where the CNAME at a selector ends, by the suffix of the name: what platforms tell their customers
# to publish. A missing or outdated entry costs a platform's name, never a finding.
_KEY_HOSTS: Mapping[str, str] = {
    "onmicrosoft.com": "microsoft365",
    "dkim.mail.microsoft": "microsoft365",
    "sendgrid.net": "sendgrid",
    "dkim.amazonses.com": "ses",
    "mcsv.net": "mailchimp",
    "mandrillapp.com": "mandrill",
    "mailgun.com": "mailgun",
    "mailgun.org": "mailgun",
    "dkim.brevo.com": "brevo",
    "_domainkey.mailersend.net": "mailersend",
    "dkim.smtp2go.net": "smtp2go",
    "custdkim.salesforce.com": "salesforce",
    "hubspotemail.net": "hubspot",
    "_domainkey.zendesk.com": "zendesk",
    "freshemail.io": "freshdesk",
    "_domainkey.helpscout.net": "helpscout",
    "dkim.intercom.io": "intercom",
    "ccsend.com": "constant_contact",
    "acems1.com": "activecampaign",
    "email.myshopify.com": "shopify",
    "dkim.atlassian.net": "atlassian",
    "dkim.fmhosted.com": "fastmail",
    "domains.proton.ch": "proton",
    "icloudmailadmin.com": "icloud",
    "dkim.ionos.com": "ionos",
    "gandimail.net": "gandi",
}
ROTATING = frozenset({"microsoft365"})
"""Platforms that sign with one of two selectors, and may publish the other's key only when they rotate them."""
# Platforms that send through another one, whose keys their customers alias.
_SENDS_THROUGH: Mapping[str, str] = {"klaviyo": "sendgrid", "resend": "ses"}


def platform_of_key_host(host: str) -> str | None:
    """The platform that keeps the keys under this name; None where it is none that we know.

    >>> platform_of_key_host("s1.domainkey.u123.wl.sendgrid.net")
    'sendgrid'
    """
    return next((_KEY_HOSTS[name] for name in with_parents(host) if name in _KEY_HOSTS), None)


def keeps_keys(platform: str, key_platform: str) -> bool:
    """Whether mail sent with `platform` may be signed with a key that `key_platform` keeps."""
    return platform == key_platform or _SENDS_THROUGH.get(platform) == key_platform
