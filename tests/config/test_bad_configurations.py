"""Each bad file fails for the reasons beside it, in these words, and for no others."""

from pathlib import Path

import pytest

from monitor.config.errors import ConfigErrors
from monitor.config.load import load
from monitor.config.sections import Checks

BAD = Path(__file__).parent / "bad"
_ENVIRON = "# environ: "


def environ_of(file: Path) -> dict[str, str]:
    """What the file's first lines put into the environment."""
    lines = file.read_bytes().decode(errors="replace").splitlines()
    pairs = (line.removeprefix(_ENVIRON) for line in lines if line.startswith(_ENVIRON))
    return dict(pair.split("=", 1) for pair in pairs)


@pytest.mark.parametrize("case", sorted(p.stem for p in BAD.glob("*.yaml")))
def test_fails_for_its_reasons(case: str, checks: Checks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    file = Path(f"{case}.yaml")
    with pytest.raises(ConfigErrors) as raised:
        load(file, environ_of(file), checks)
    assert str(raised.value).splitlines() == Path(f"{case}.expected").read_text().splitlines()
