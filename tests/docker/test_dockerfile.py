"""The Dockerfile, checked without an engine."""

import fnmatch
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

TARGETS = ("segmenter", "encoder", "indexer", "ranker", "gateway")
FOLDERS = {
    "segmenter": "audio_segmenter",
    "encoder": "vggish_encoder",
    "indexer": "timescale_indexer",
    "ranker": "max_score_ranker",
    "gateway": "gateway",
}


def copies(dockerfile: Any) -> list[tuple[str, Any]]:
    """Return every COPY with the name of its stage."""
    return [
        (name, instruction)
        for name, stage in dockerfile.stages.items()
        for instruction in stage.instructions
        if instruction.keyword == "COPY"
    ]


def environment(dockerfile: Any, target: str) -> dict[str, str]:
    """Return the variables that a target sets, as they are written."""
    return dict(
        word.split("=", 1)
        for stage in dockerfile.lineage(target)
        for instruction in stage.instructions
        if instruction.keyword == "ENV"
        for word in instruction.words()
    )


def is_sent(path: str, patterns: list[str]) -> bool:
    """Tell whether .dockerignore lets a path into the build: the last pattern that fits decides."""
    sent = True
    for pattern in patterns:
        exception = pattern.startswith("!")
        body = pattern.removeprefix("!").rstrip("/")
        heads = [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]
        if any(fnmatch.fnmatch(head, body.replace("**/", "*")) for head in heads):
            sent = exception
    return sent


@pytest.mark.parametrize("target", TARGETS)
def test_every_component_is_a_target(dockerfile: Any, components: dict[str, Any], target: str) -> None:
    build = components[target]["build"]
    assert build == {"context": "..", "dockerfile": "docker/Dockerfile", "target": target}
    assert target in dockerfile.stages


def test_there_are_no_other_components(components: dict[str, Any]) -> None:
    assert sorted(components) == sorted(TARGETS)


def test_every_stage_begins_with_a_pinned_image_or_another_stage(dockerfile: Any) -> None:
    for stage in dockerfile.stages.values():
        assert stage.base in dockerfile.stages or re.fullmatch(
            r"python:3\.1[123]\.\d+-slim-\w+", stage.base
        )


def test_what_is_copied_exists_and_is_sent(dockerfile: Any, project: Path) -> None:
    patterns = [
        line
        for line in (project / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    found = copies(dockerfile)
    assert found
    for stage, instruction in found:
        sources = instruction.words()[:-1]
        if "from" in instruction.options:
            assert instruction.options["from"] in dockerfile.stages
            continue
        for source in sources:
            assert (project / source).exists(), f"{stage} copies {source}"
            assert is_sent(source.rstrip("/"), patterns), f".dockerignore keeps {source} back"


def test_nothing_private_is_sent(project: Path) -> None:
    patterns = (project / ".dockerignore").read_text().splitlines()
    kept_back = (".env", "docker/.env", ".git/config", "docker/weights/vggish_model.ckpt")
    for path in (*kept_back, "executors/gateway/__pycache__/gateway.pyc", "toy-data/README.md"):
        assert not is_sent(path, patterns), path


@pytest.mark.parametrize("target", TARGETS)
def test_no_image_runs_as_root(dockerfile: Any, target: str) -> None:
    user = dockerfile.last(target, "USER")
    assert user is not None
    # Kubernetes' runAsNonRoot needs numbers.
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user.value)
    # Nothing after it goes back.
    assert all(stage.name in ("runtime", target) for stage in dockerfile.lineage(target))


@pytest.mark.parametrize("target", TARGETS)
def test_images_keep_jinas_contract(dockerfile: Any, project: Path, target: str) -> None:
    program = "gateway" if target == "gateway" else "executor"
    # As in flow.yml: what serves short and long requests together.
    concurrent = ["--allow-concurrent"] if target in ("segmenter", "encoder", "indexer") else []
    # As in flow.yml, too: Jina's channels ask more often than a gRPC server stands by itself.
    patient = ["--grpc-server-options", "grpc.http2.max_ping_strikes:0"]
    expected = ["jina", program, "--uses", "config.yml", *patient, *concurrent]
    assert dockerfile.last(target, "ENTRYPOINT").words() == expected
    folder = f"executors/{FOLDERS[target]}/"
    copied = [instruction.words() for stage, instruction in copies(dockerfile) if stage == target]
    # "./" is the working directory, where --uses looks.
    assert [folder, "./"] in copied
    assert (project / folder / "config.yml").is_file()
    assert dockerfile.last(target, "WORKDIR").value == "/workdir"


@pytest.mark.parametrize("target", TARGETS)
def test_each_image_installs_its_own_requirements(dockerfile: Any, target: str) -> None:
    build = dockerfile.stages[f"build-{target}"]
    assert f"executors/{FOLDERS[target]}/requirements.txt" in build.instructions[0].words()
    packages = [
        (instruction.options.get("from"), *instruction.words())
        for stage, instruction in copies(dockerfile)
        if stage == target
    ]
    assert (f"build-{target}", "/opt/venv", "/opt/venv") in packages


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_is_reported_and_nothing_is_secret(dockerfile: Any, target: str) -> None:
    variables = environment(dockerfile, target)
    assert variables["JINA_OPTOUT_TELEMETRY"] == "1"
    assert not [name for name in variables if re.search("PASSWORD|SECRET|TOKEN|DATABASE", name)]


def test_lock_is_read_entry_by_entry(load_script: Callable[[str], ModuleType], project: Path) -> None:
    lock = load_script("install_locked.py").read_lock((project / "requirements.txt").read_text())
    assert {"jina", "docarray", "setuptools", "tensorflow", "psycopg2-binary"} <= lock.keys()
    for name, entry in lock.items():
        assert entry.startswith(f"{name}=="), name
        assert len(re.findall(r"^\S+==", entry, re.MULTILINE)) == 1, name
        assert "--hash=sha256:" in entry, name


def test_lock_entries_for_some_pythons_stay_together(load_script: Callable[[str], ModuleType]) -> None:
    text = (
        "some==2 ; python_full_version >= '3.13' \\\n    --hash=sha256:00\n"
        "some==1 ; python_full_version < '3.13' \\\n    --hash=sha256:11\n"
        "other==1 \\\n    --hash=sha256:22\n"
    )
    lock = load_script("install_locked.py").read_lock(text)
    assert lock["some"] + lock["other"] == text


def test_markers_reach_pip(
    load_script: Callable[[str], ModuleType],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = load_script("install_locked.py")
    lock = script.read_lock("some==1.0 ; python_version < '3.13' \\\n    --hash=sha256:00\n")
    told = []

    def pip(*arguments: str) -> None:
        told.append((tmp_path / "constraints.txt").read_text())
        Path(arguments[arguments.index("--report") + 1]).write_text('{"install": []}')

    monkeypatch.setattr(script, "pip", pip)
    assert script.resolve(lock, tmp_path / "wanted.txt", tmp_path) == []
    assert told == ["some==1.0 ; python_version < '3.13'"]


@pytest.mark.parametrize("target", TARGETS)
def test_code_lies_where_its_pth_file_is_read(dockerfile: Any, target: str) -> None:
    """Python reads no .pth file in a folder of PYTHONPATH, and Jina does not import without ours."""
    variables = environment(dockerfile, "build")
    runs = [one.value for one in dockerfile.stages["build"].instructions if one.keyword == "RUN"]
    assert any(
        "site.addsitedir('$SOUNDALIKE_CODE')" in run and "/site-packages)/code.pth" in run
        for run in runs
    )
    project = [one.value for one in dockerfile.stages["project"].instructions if one.keyword == "RUN"]
    assert '--target "$SOUNDALIKE_CODE"' in project[-1]
    code = variables["SOUNDALIKE_CODE"]
    copied = [one.words() for stage, one in copies(dockerfile) if stage == "runtime"]
    assert [code, code] in copied
    assert "PYTHONPATH" not in environment(dockerfile, target)


def test_lock_names_are_compared_as_indexes_do(load_script: Callable[[str], ModuleType]) -> None:
    read_lock = load_script("install_locked.py").read_lock
    assert list(read_lock("Foo_Bar.baz==1 \\\n    --hash=sha256:00\nx==2\n")) == ["foo-bar-baz", "x"]
