"""deploy/systemd: the unit, as systemd itself reads it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAM = "/opt/soundalike/.venv/bin/soundalike"


@pytest.fixture
def unit(project: Path, tmp_path: Path) -> Path:
    """Return the unit with a program that is installed here."""
    text = (project / "deploy" / "systemd" / "soundalike.service").read_text()
    assert f"ExecStart={PROGRAM} serve\n" in text
    path = tmp_path / "soundalike.service"
    path.write_text(text.replace(PROGRAM, "/bin/true"))
    return path


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_unit_is_valid(unit: Path) -> None:
    done = analyze("verify", unit)
    assert (done.returncode, done.stderr) == (0, "")


def test_unit_may_do_little(unit: Path) -> None:
    # The score of exposure: from 0 to 10.0, here in tenths.
    done = analyze("security", "--offline=true", "--threshold=25", unit)
    assert done.returncode == 0, done.stdout


def test_unit_writes_where_the_document_says(unit: Path, project: Path) -> None:
    settings = dict(re.findall(r"^(\w+)=(.*)$", unit.read_text(), re.MULTILINE))
    document = (project / "docs" / "deployment.md").read_text()
    assert settings["EnvironmentFile"] in document
    assert settings["Environment"] == "SOUNDALIKE_DATA_DIR=/var/lib/soundalike"
    assert settings["StateDirectory"] == "soundalike"
