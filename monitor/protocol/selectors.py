"""DKIM selectors that platforms use by default, to be tried where none is declared."""

from dataclasses import dataclass


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
