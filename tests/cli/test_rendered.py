"""`rules` and `dashboards`: written, and told to be stale."""

from pathlib import Path

import pytest

from tests.cli.commands import deliverability

FILES = {
    "rules": "deliverability.rules.yaml",
    "dashboards": "deliverability-organisation.json",
}


@pytest.mark.parametrize("command", FILES)
def test_stale_files_are_told_and_mended(tmp_path: Path, command: str) -> None:
    """`--check` writes nothing and exits 1 where a file is not as rendered."""
    folder, file = tmp_path / "made", tmp_path / "made" / FILES[command]
    missing = deliverability(command, "--output", folder, "--check", cwd=tmp_path)
    assert missing.returncode == 1
    assert f"{file} is stale" in missing.stderr
    assert not folder.exists()

    written = deliverability(command, "--output", folder, cwd=tmp_path)
    assert written.returncode == 0, written.stderr
    assert str(file) in written.stdout
    assert deliverability(command, "--output", folder, "--check", cwd=tmp_path).returncode == 0

    file.write_text("edited by hand")
    assert deliverability(command, "--output", folder, "--check", cwd=tmp_path).returncode == 1


def test_links_lead_where_they_are_told_to(tmp_path: Path) -> None:
    """Runbooks and dashboards are served elsewhere in a company."""
    bases = ("--runbook-base", "https://wiki.example/r/", "--dashboard-base", "https://g.example/d")
    assert deliverability("rules", "-o", tmp_path, *bases, cwd=tmp_path).returncode == 0
    text = (tmp_path / FILES["rules"]).read_text()
    assert "runbook_url: https://wiki.example/r/dmarc.md#" in text
    assert "dashboard_url: https://g.example/d/" in text


def test_links_to_runbooks_lead_to_the_configured_daemon(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "domains: [{name: example.com}]\nserver: {external_url: 'https://mail.example'}\n"
    )
    done = deliverability("rules", "-o", tmp_path, "--config", config, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / FILES["rules"]).read_text()
    assert "runbook_url: https://mail.example/runbooks/dmarc.md#" in text
