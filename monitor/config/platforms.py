"""The platforms that a sender may name."""

from monitor.model import PlatformClass

PLATFORMS = {
    **dict.fromkeys(
        (
            "amazon_ses",
            "brevo",
            "elasticemail",
            "exim",
            "hubspot",
            "klaviyo",
            "mailchimp",
            "mailgun",
            "mailjet",
            "other",
            "postfix",
            "postmark",
            "salesforce",
            "sendgrid",
            "ses",
            "smtp",
            "sparkpost",
            "zendesk",
        ),
        PlatformClass.SMTP,
    ),
    "google_workspace": PlatformClass.GOOGLE,
    "microsoft365": PlatformClass.MICROSOFT,
}


def platform_class(name: str) -> PlatformClass:
    """How the platform is run."""
    return PLATFORMS[name]


def platform_of_include(domain: str) -> str | None:
    """The platform whose SPF record is included by this name."""
    return {
        "_spf.google.com": "google_workspace",
        "spf.protection.outlook.com": "microsoft365",
        "sendgrid.net": "sendgrid",
        "amazonses.com": "ses",
    }.get(domain.lower())
