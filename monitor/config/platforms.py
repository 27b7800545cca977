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
