"""A good file, what the environment sets over it, secrets, and what is never raised."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monitor.check import Threshold
from monitor.config.errors import ConfigError, ConfigErrors
from monitor.config.load import for_domain, load
from monitor.config.sections import Checks
from monitor.config.valid import ValidConfig
from monitor.model import PlatformClass, Role, Severity, Stream

CANARY = "CANARY-SECRET"

GOOD = """
organisation: {name: Example Ltd}
domains:
  - {name: Example.com., owner: platform@example.com, team: platform, dkim_selectors: [S1, 20230601, 0123]}
  - {name: straße.example, role: marketing, mail_hosts: [mx.example.com, "mx.example.com:587"]}
senders:
  - name: shop-mta
    owner: shop team
    purpose: order mail
    platform: postfix
    domains: [example.com, STRASSE.example.]
    addresses: [192.0.2.10, 2001:DB8::10, 192.0.2.8/30]
    helo: mta1.example.com
    streams:
      - {name: orders, trigger: order placed, thresholds: {bounce: {critical: 0.03}}}
checks:
  zones: {interval: 1h30m, zones: [a.example], keys: {spam: "${KEY}"}, severities: {broken: warning}}
  hosts: {interval: 1s, targets: ["mx1.example.com:25"], enabled: no}
thresholds:
  bounce: {warning: 0.01}
  roles: {marketing: {bounce: {warning: 0.025, minimum: 500}}}
events:
  hooks:
    - {name: shop, sender: shop-mta, secret: "${KEY}"}
    - {name: grid, kind: generic, sender: shop-mta, secret: ["file:secret.txt", plain]}
resolver: {nameservers: ["127.0.0.1:5335", "::1", "[2001:db8::1]:5353"], timeout: 2s}
network: {allow: [127.0.0.0/8], ports: {25: 2525}, ca: ca.pem}
store: {url: "sqlite:///state.db"}
""".replace("STRASSE", "straße")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("from a file\n")
    (tmp_path / "ca.pem").write_text("")
    file = tmp_path / "good.yaml"
    file.write_text(GOOD)
    return file


def errors_of(file: Path, environ: dict[str, str], checks: Checks) -> list[str]:
    with pytest.raises(ConfigErrors) as raised:
        load(file, environ, checks)
    return str(raised.value).splitlines()


def errors_from(made: Callable[[], ValidConfig]) -> Sequence[ConfigError]:
    """None where the configuration is valid; anything but ConfigErrors passes through."""
    try:
        made()
    except ConfigErrors as raised:
        return raised.errors
    return ()


def test_names_addresses_and_durations_come_in_one_form(good: Path, checks: Checks) -> None:
    valid = load(good, {"KEY": "k"}, checks)
    first, second = valid.domains
    assert (first.name, first.role) == ("example.com", Role.PRIMARY)
    assert first.dkim_selectors == ("s1", "20230601", "0123")
    assert (second.name, second.role) == ("xn--strae-oqa.example", Role.MARKETING)
    assert second.mail_hosts == ("mx.example.com:25", "mx.example.com:587")
    (sender,) = valid.senders
    assert sender.domains == ("example.com", "xn--strae-oqa.example")
    assert sender.platform_class is PlatformClass.SMTP
    assert sender.streams == (Stream("orders", trigger="order placed"),)
    assert sender.addresses == ("192.0.2.10", "2001:db8::10")
    assert sender.ranges == ("192.0.2.8/30",)
    assert valid.config.resolver.nameservers == ("127.0.0.1:5335", "[::1]:53", "[2001:db8::1]:5353")
    assert valid.config.resolver.timeout == 2.0
    assert valid.config.network.ports == {25: 2525}
    assert valid.config.network.ca == good.parent / "ca.pem"
    assert valid.config.store.path == Path("state.db")
    assert valid.config.server.address == ("127.0.0.1", 9825)


def test_a_check_has_what_the_file_says_else_what_it_says_itself(
    good: Path, checks: Checks
) -> None:
    valid = load(good, {"KEY": "k"}, checks)
    zones, hosts, records = (valid.checks[name] for name in ("zones", "hosts", "records"))
    assert (zones.interval, zones.timeout, zones.severities) == (
        5400.0,
        30.0,
        {"broken": Severity.WARNING},
    )
    assert type(zones.settings) is checks["zones"].about.settings
    assert zones.settings.model_dump(include={"zones"}) == {"zones": ("a.example",)}
    assert (hosts.enabled, hosts.interval, hosts.targets) == (False, 1.0, ("mx1.example.com:25",))
    assert (records.enabled, records.interval, records.confirmations, records.confirm_after) == (
        True,
        3600.0,
        2,
        60.0,
    )


@pytest.mark.parametrize(
    ("role", "stream", "expected"),
    [
        ("primary", "", Threshold(0.01, 0.05, 100)),
        ("marketing", "", Threshold(0.025, 0.05, 500)),
        ("marketing", "orders", Threshold(0.025, 0.03, 500)),
        ("primary", "orders", Threshold(0.01, 0.03, 100)),
        ("primary", "unknown", Threshold(0.01, 0.05, 100)),
    ],
)
def test_each_limit_comes_from_the_most_specific_level_that_has_it(
    good: Path, checks: Checks, role: str, stream: str, expected: Threshold
) -> None:
    thresholds = load(good, {"KEY": "k"}, checks).thresholds
    assert thresholds.of("bounce", role=role, sender="shop-mta", stream=stream) == expected
    assert thresholds.of("nothing", role=role, sender="shop-mta", stream=stream) is None


def test_the_environment_wins_over_the_file(good: Path, checks: Checks) -> None:
    environ = {
        "KEY": "k",
        "DELIVERABILITY_RESOLVER__TIMEOUT": "3s",
        "DELIVERABILITY_SERVER": '{"listen": "0.0.0.0:1", "probe_any": true}',
        "DELIVERABILITY_SERVER__LISTEN": "0.0.0.0:2",
        "DELIVERABILITY_NETWORK__PORTS__465": "4465",
        "DELIVERABILITY_CHECKS__HOSTS__ENABLED": "true",
        "DELIVERABILITY_CHECKS__HOSTS__TARGETS": '["mx2.example.com:25"]',
        "DELIVERABILITY_CHECKS__RECORDS__SEVERITIES__BROKEN": "info",
        "DELIVERABILITY_CHECKS__ZONES__KEYS__OTHER": "${KEY}",
        "DELIVERABILITY_DOMAINS": '[{"name": "example.com"}, {"name": "straße.example"}]',
    }
    valid = load(good, environ, checks)
    assert valid.config.resolver.timeout == 3.0
    assert valid.config.resolver.nameservers  # of the file
    assert (valid.config.server.listen, valid.config.server.probe_any) == ("0.0.0.0:2", True)
    assert valid.config.network.ports == {25: 2525, 465: 4465}
    assert valid.checks["hosts"].enabled
    assert valid.checks["hosts"].targets == ("mx2.example.com:25",)
    assert valid.checks["records"].severities == {"broken": Severity.INFO}
    keys = valid.checks["zones"].settings.model_dump()["keys"]
    assert {name: key.get_secret_value() for name, key in keys.items()} == {
        "spam": "k",
        "other": "k",
    }
    assert valid.domains[1].role is Role.PRIMARY


def test_what_others_put_into_the_environment_is_left_alone(good: Path, checks: Checks) -> None:
    """The command's own variables, and those that Kubernetes makes for a service of our name."""
    environ = {
        "KEY": "k",
        "DELIVERABILITY_CONFIG": "good.yaml",
        "DELIVERABILITY_SERVICE_HOST": "192.0.2.1",
        "DELIVERABILITY_MONITOR_SERVICE_PORT_HTTP": "9825",
        "DELIVERABILITY_PORT": "tcp://192.0.2.1:9825",
        "DELIVERABILITY_PORT_9825_TCP_ADDR": "192.0.2.1",
    }
    assert load(good, environ, checks)


def test_secrets_are_resolved_and_never_shown(good: Path, checks: Checks) -> None:
    valid = load(good, {"KEY": CANARY}, checks)
    secrets = [[s.get_secret_value() for s in hook.secret] for hook in valid.config.events.hooks]
    assert secrets == [[CANARY], ["from a file", "plain"]]
    assert CANARY not in repr(valid) + str(valid) + valid.config.model_dump_json()


@pytest.mark.parametrize(
    "hook",
    [
        f"{{name: h, sender: nobody, secret: {CANARY}, kind: {{}}}}",
        f"{{name: h, sender: shop-mta, secret: {{a: {CANARY}}}}}",
        f"{{name: h, sender: shop-mta, secret: [[{CANARY}]]}}",
        f"{{name: h, sender: shop-mta, secrt: {CANARY}}}",
        f"{{name: h, sender: shop-mta, secret: !{CANARY} x}}",
        f"{{name: h, sender: shop-mta, secret: !{CANARY}!x x}}",
        f"{{name: h, sender: shop-mta, secret: *{CANARY}}}",
        f"{{name: h, sender: shop-mta, secret: &{CANARY} [}}",
        f'{{name: h, sender: shop-mta, secret: "{CANARY}',
        f"{{name: h, sender: shop-mta, secret: '{CANARY}' x}}",
        f"{{name: h, sender: shop-mta, secret: @{CANARY}}}",
        f"{{name: h, sender: shop-mta, secret: '${{{CANARY}'}}",
    ],
)
def test_no_error_shows_a_secret(hook: str, good: Path, checks: Checks) -> None:
    good.write_text(GOOD.replace("  hooks:\n", f"  hooks:\n    - {hook}\n"))
    assert CANARY not in "\n".join(errors_of(good, {"KEY": CANARY}, checks))


def test_no_error_shows_a_secret_of_the_environment(good: Path, checks: Checks) -> None:
    environ = {
        "KEY": CANARY,
        "DELIVERABILITY_EVENTS__HOOKS": f'[{{"name": "h", "secret": "{CANARY}"',
        "DELIVERABILITY_EVENTS__HOOK": CANARY,
        "DELIVERABILITY_CHECKS__ZONES__KEYS": f'["{CANARY}"]',
    }
    lines = errors_of(good, environ, checks)
    assert len(lines) == 3
    assert CANARY not in "\n".join(lines)


def test_a_file_that_cannot_be_read_is_an_error_of_its_own(tmp_path: Path, checks: Checks) -> None:
    missing = tmp_path / "missing.yaml"
    assert errors_of(missing, {}, checks) == [
        f"{missing}: cannot be read: No such file or directory"
    ]
    assert errors_of(tmp_path, {}, checks) == [f"{tmp_path}: cannot be read: Is a directory"]


def test_a_large_file_is_refused(tmp_path: Path, checks: Checks) -> None:
    file = tmp_path / "large.yaml"
    file.write_bytes(b"#" * ((1 << 20) + 1))
    assert errors_of(file, {}, checks) == [f"{file}: is larger than 1048576 bytes"]


def test_one_domain_needs_no_file(checks: Checks) -> None:
    valid = for_domain(
        "Example.COM",
        checks,
        store_url="sqlite:///var/state.db",
        environ={"DELIVERABILITY_SERVER__LISTEN": "0.0.0.0:80"},
    )
    assert [domain.name for domain in valid.domains] == ["example.com"]
    assert valid.config.store.path == Path("var/state.db")
    assert valid.config.server.listen == "0.0.0.0:80"
    with pytest.raises(ConfigErrors, match="no domain name"):
        for_domain("no domain", checks, store_url="sqlite:///x")


def test_the_same_file_read_twice_is_the_same_configuration(good: Path, checks: Checks) -> None:
    first = load(good, {"KEY": "k"}, checks)
    assert load(good, {"KEY": "k"}, dict(reversed(checks.items()))) == first
    assert load(good, {"KEY": "other"}, checks) != first


def test_only_the_loader_makes_one(good: Path, checks: Checks) -> None:
    valid = load(good, {"KEY": "k"}, checks)
    with pytest.raises(TypeError):
        ValidConfig(valid.config, {}, (), (), valid.thresholds, proof=None)


def test_yaml_surprises_stay_text(tmp_path: Path, checks: Checks) -> None:
    file = tmp_path / "norway.yaml"
    file.write_text(
        "domains: [{name: example.com, owner: 2026-01-01, team: no, dkim_selectors: [on, 1_0, 1.10]}]"
    )
    (domain,) = load(file, {}, checks).domains
    assert (domain.owner, domain.team) == ("2026-01-01", "no")
    assert domain.dkim_selectors == ("on", "1_0", "1.10")


_KEYS = st.sampled_from(
    [
        "organisation",
        "domains",
        "senders",
        "checks",
        "thresholds",
        "events",
        "resolver",
        "network",
        "vantage",
        "store",
        "server",
        "name",
        "hooks",
        "secret",
        "zones",
        "keys",
        "hosts",
        "targets",
        "severities",
        "broken",
        "bounce",
        "roles",
        "streams",
        "addresses",
    ]
) | st.text(max_size=8)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.dates()
    | st.sampled_from(
        ["example.com", "${HOME}", "file:/dev/zero", "5s", "192.0.2.0/24", "sqlite:///x"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=20,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.binary(max_size=200)
    | _VALUES.map(lambda v: yaml.safe_dump(v, allow_unicode=True).encode())
)
@example(data=b"[" * 5000)
@example(data=b"- " * 5000)
@example(data=b"? " * 5000)
@example(data=b"--- %TAG")
@example(data=b"domains: [{name: \xed\xa0\x80}]")
@example(data=b'domains: [{name: "' + "ü".encode() * 300 + b'"}]')
def test_whatever_the_file_has_only_located_errors_come_out(
    data: bytes, tmp_path: Path, checks: Checks
) -> None:
    file = tmp_path / "any.yaml"
    file.write_bytes(data)
    for error in errors_from(lambda: load(file, {"HOME": "x"}, checks)):
        assert error.file == str(file)
        assert error.line


@settings(max_examples=100, deadline=None)
@given(
    name=st.lists(_KEYS.filter(lambda k: "\0" not in k), min_size=1, max_size=4).map("__".join),
    value=st.text(max_size=20) | st.just("[" * 5000) | st.just("1" * 5000),
)
def test_whatever_the_environment_has_only_located_errors_come_out(
    name: str, value: str, checks: Checks
) -> None:
    environ = {f"DELIVERABILITY_{name.upper()}": value}
    made = partial(for_domain, "example.com", checks, store_url="sqlite:///x", environ=environ)
    for error in errors_from(made):
        assert error.file in environ


@pytest.mark.parametrize(("ranges", "wrong"), [(256, False), (257, True)])
def test_a_sender_has_at_most_as_many_addresses_as_can_be_looked_at(
    tmp_path: Path, checks: Checks, ranges: int, wrong: bool
) -> None:
    """A large IPv6 range counts for nothing: it is not looked at whole."""
    declared = [f"10.{n // 256}.{n % 256}.0/24" for n in range(ranges)]
    path = tmp_path / "c.yaml"
    path.write_text(
        "domains: [{name: example.com}]\n"
        f"senders: [{{name: s, domains: [example.com], addresses: [2001:db8::/64, {', '.join(declared)}]}}]\n"
    )
    errors = errors_from(lambda: load(path, {}, checks))
    assert bool(errors) is wrong
    for error in errors:
        assert (error.line, error.key) == (2, "senders[0].addresses")
        assert "65792 addresses: a sender may have at most 65536" in error.message
