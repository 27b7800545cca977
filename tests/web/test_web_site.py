"""The status site, as a browser without script gets it."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from monitor.model import Domain, Status
from monitor.publish.rules import runbook_url
from monitor.web.domain_page import digest
from tests.web.fake_backend import (
    ACCEPTED,
    CALM,
    CHECKS,
    DRIFTED,
    OWN,
    SEEN,
    kept,
    snapshot,
    subject,
)

FORM = {"check": "dmarc", "target": "example.com", "subject": "record", "digest": digest(SEEN)}
ACCEPT = "/domains/example.com/drift/accept"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
VOID = {"meta", "link", "input", "br", "hr"}


class WellFormed(HTMLParser):
    """Fails on unbalanced tags; collects tags with their attributes, and the text."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


async def read(client, path, status=200):
    async with client.get(path) as answer:
        assert answer.status == status
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        return await answer.text()


PAGES = [
    "/",
    "/domains/example.com",
    "/domains/news.example.com",
    "/probe?check=spf&target=news.example.com&debug=1",
    "/runbooks/dmarc.md",
    "/zones",
]


@pytest.mark.parametrize("path", PAGES)
async def test_pages_are_well_formed_and_need_nothing_that_the_policy_forbids(client, path):
    page = WellFormed(await read(client, path))
    for tag, attributes in page.tags:
        assert tag not in {"script", "style", "iframe", "object"}
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]


@pytest.mark.parametrize("path", PAGES)
async def test_links_lead_somewhere(client, path):
    for tag, attributes in WellFormed(await read(client, path)).tags:
        link = attributes.get("href", "")
        if tag != "a" or not link.startswith(("/", "#")):
            continue
        where, _, anchor = link.partition("#")
        async with client.get(where or path) as answer:
            assert answer.status == 200, link
            if anchor:
                target = WellFormed(await answer.text())
                assert anchor in {attributes.get("id") for _, attributes in target.tags}, link


async def test_the_organisation(client):
    page = await read(client, "/")
    text = " ".join(WellFormed(page).text)
    for said in (
        "1 thing needs action now",
        "anyone can send as example.com",
        "came back 3 times; it flaps",
        "timeout: the resolver did not answer",
        "1 look still to come",
        "Our network, our resolver and our way out to port 25 work.",
    ):
        assert said in text
    assert page.index("dmarc.policy_weakened") < page.index("spf.no_all")


async def test_the_calm_organisation_says_so(client, backend):
    backend.state = CALM
    assert "All is well" in await read(client, "/")


@pytest.mark.parametrize("path", ["/", "/domains/example.com"])
async def test_colour_is_never_alone(client, path):
    """Every chip has its word, and a symbol that is not read aloud."""
    page = await read(client, path)
    worded = re.findall(
        r'<span class="chip (\w+)"><span class="symbol" aria-hidden="true">\S</span>'
        r'<span class="word">\1</span>',
        page,
    )
    assert len(worded) == page.count('class="chip') > 0


async def test_hostile_text_stays_text(client):
    page = await read(client, "/domains/news.example.com")
    assert "<script>" not in page
    assert '<pre class="evidence">&lt;script&gt;alert(1)&lt;/script&gt; &#34;} \\x1b[31m' in page
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


@pytest.mark.parametrize("name", ["example.net", "%3Cscript%3E", "%1b%5b31m", "..%2f..%2fetc"])
async def test_an_unknown_domain_is_a_page_of_its_own(client, name):
    page = await read(client, f"/domains/{name}", 404)
    assert "No such domain" in page
    assert "<script>" not in page
    assert "\x1b" not in page


async def test_accepting_drift_by_the_button(client, backend):
    page = WellFormed(await read(client, "/domains/example.com"))
    fields = {a["name"]: a["value"] for tag, a in page.tags if tag == "input"}
    [action] = [a["action"] for tag, a in page.tags if tag == "form"]
    async with client.post(action, data=fields, headers=SAME_ORIGIN) as answer:
        assert answer.status == 200
        assert answer.url.path == "/domains/example.com"
        assert "<form" not in await answer.text()
    assert backend.state.baselines[0].accepted == SEEN


async def test_a_record_is_shown_as_a_difference_with_its_history(client):
    page = await read(client, "/domains/example.com")
    assert "<del>- p=reject</del>\n<ins>+ p=none</ins>\n<span>  rua=" in page
    text = " ".join(" ".join(WellFormed(page).text).split())
    assert "accepted on first sight, 37 days ago" in text
    history = text[text.index("History") :]
    assert history.index("changed, weakened") < history.index("first seen, accepted on first sight")


async def test_who_accepted_and_why_is_shown(client):
    hostile = {"by": "<b>Alice</b>\u202e", "reason": "moved \x1b[31m<i>"}
    async with client.post(ACCEPT, data=FORM | hostile, headers=SAME_ORIGIN) as answer:
        page = await answer.text()
    said = "accepted by &lt;b&gt;Alice&lt;/b&gt;\\u202e: moved \\x1b[31m&lt;i&gt;"
    assert f"as {said}, " in page
    assert f"</time> {said}</li>" in page


async def test_what_the_servers_dispute_cannot_be_accepted(client, backend):
    disputed = replace(DRIFTED, classification="inconsistent", reason="ns1 says p=reject")
    backend.state = replace(backend.state, baselines=(disputed,))
    page = await read(client, "/domains/example.com")
    assert "ns1 says p=reject" in page
    assert "<form" not in page
    async with client.post(ACCEPT, data=FORM, headers=SAME_ORIGIN) as answer:
        assert answer.status == 409


async def test_where_the_configuration_says_what_is_accepted_there_is_no_button(client, backend):
    given = replace(CHECKS["dmarc"], baselines={"example.com": ACCEPTED})
    backend.state = replace(backend.state, checks=CHECKS | {"dmarc": given})
    page = await read(client, "/domains/example.com")
    assert "<form" not in page
    assert "say so in <code>checks.dmarc.baselines</code>" in page


async def test_a_page_is_shown_although_its_history_cannot_be_read(client, backend):
    backend.history_fails = True
    page = await read(client, "/domains/example.com")
    assert "cannot be read now" in page
    assert "<del>- p=reject</del>" in page


@pytest.mark.parametrize("seen", ["a\r\nb\x00\x85\ud800 c", "", "v=DMARC1;\tp=none "])
async def test_records_that_a_form_would_change_are_accepted_exactly(client, backend, seen):
    odd = snapshot(
        *backend.state.kept,
        baselines=(
            type(DRIFTED)("dmarc", "example.com", "record", "x", 0, seen, 0, "changed", "y"),
        ),
    )
    backend.state = odd
    page = WellFormed(await read(client, "/domains/example.com"))
    fields = {a["name"]: a["value"] for tag, a in page.tags if tag == "input"}
    async with client.post(ACCEPT, data=fields, headers=SAME_ORIGIN) as answer:
        assert answer.status == 200
    assert backend.state.baselines[0].accepted == seen


@pytest.mark.parametrize(
    ("form", "headers", "status"),
    [
        (FORM | {"digest": digest("v=DMARC1; p=quarantine")}, SAME_ORIGIN, 409),
        (FORM | {"subject": "other"}, SAME_ORIGIN, 409),
        ({"check": "dmarc"}, SAME_ORIGIN, 400),
        (FORM | {"by": "a" * 101}, SAME_ORIGIN, 400),
        (FORM | {"reason": "a" * 501}, SAME_ORIGIN, 400),
        (FORM, {"Sec-Fetch-Site": "cross-site"}, 403),
        (FORM, {"Origin": "https://evil.example"}, 403),
        (FORM, {"Origin": "null"}, 403),
    ],
)
async def test_what_the_button_does_not_accept(client, backend, form, headers, status):
    async with client.post(ACCEPT, data=form, headers=headers) as answer:
        assert answer.status == status
    assert backend.state.baselines == (DRIFTED,)


@pytest.mark.parametrize("check", sorted(CHECKS))
async def test_alerts_find_their_runbook(client, check):
    """The address that the rules carry is one that the daemon serves."""
    config = CHECKS[check]
    code = f"{check}.{config.about.codes[0].name}"
    path, _, anchor = runbook_url("/runbooks", check, code).partition("#")
    assert f'id="{anchor}"' in await read(client, path)


async def test_an_unknown_runbook(client):
    assert "No such runbook" in await read(client, "/runbooks/nix.md", 404)


async def test_the_style_sheet_may_be_kept_since_its_address_changes_with_it(client):
    page = await read(client, "/")
    [href] = [a["href"] for tag, a in WellFormed(page).tags if a.get("rel") == "stylesheet"]
    async with client.get(href) as answer:
        assert answer.content_type == "text/css"
        assert "max-age" in answer.headers["Cache-Control"]


async def test_a_large_organisation_is_cut(client, backend):
    many = [backend.state.kept[1]] * 80
    backend.state = snapshot(*many, domains=(Domain("example.com"),))
    page = await read(client, "/")
    assert page.count("<article") == 50
    assert "And 30 more" in page


async def test_requirements_are_shown_as_a_table(client, backend):
    result = kept(
        "bulk_sender",
        "shop/example.com",
        "example.com",
        Status.OK,
        subject("Gmail: Publish <b>DMARC</b>"),
    )
    backend.state = snapshot(OWN, result)
    page = await read(client, "/domains/example.com")
    assert "<td>Gmail</td><td>Publish &lt;b&gt;DMARC&lt;/b&gt;</td><td><b>met</b></td>" in page
