"""``soundalike models`` for model files: list, show, add, download, verify and remove them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from soundalike.cli import output
from soundalike.config import DOWNLOADABLE, Settings
from soundalike.errors import ParameterError, WeightsCorrupt, WeightsMissing


@dataclass(frozen=True, kw_only=True)
class AddedFiles:
    """The options that name what ``models add`` adds."""

    manifest: Path | None = None
    text: Path | None = None
    tokenizer: Path | None = None

    def check(self, action: str, names: Sequence[str]) -> None:
        """Raise `ParameterError` unless one file and its manifest are to be added, or nothing is."""
        if action == "add":
            if len(names) != 1 or self.manifest is None:
                raise ParameterError(
                    "give one model file and its facts: models add MODEL.onnx --manifest FILE.yml"
                )
            return
        for option in ("manifest", "text", "tokenizer"):
            if getattr(self, option) is not None:
                raise ParameterError(f"--{option} belongs to add; the action is {action}")


def run(
    action: str, names: Sequence[str], added: AddedFiles, settings: Settings, *, as_json: bool
) -> int:
    """Run an action on model files; return the exit status."""
    folder = settings.weights_dir
    if action == "list":
        return _list(folder, as_json=as_json)
    if action == "schema":
        return _schema()
    if action == "add":
        return _add(Path(names[0]), added, folder)
    if not names:
        raise ParameterError(f"name a model: soundalike models {action} NAME")
    actions: dict[str, Callable[[str], int]] = {
        "show": lambda name: _show(name, folder, as_json=as_json),
        "status": lambda name: _show(name, folder, as_json=as_json),
        "download": lambda name: _download(name, folder),
        "verify": lambda name: _verify(name, settings, as_json=as_json),
        "remove": lambda name: _remove(name, folder),
    }
    return max(actions[action](name) for name in names)


def chosen_download(folder: Path) -> list[str]:
    """Show what can be downloaded, and return which the user types; VGGish if nothing."""
    from soundalike.encoders.catalogue import known_models

    offered = [one for one in known_models(folder) if one.state in ("installed", "not here")]
    offered = [one for one in offered if one.name in ("vggish", *DOWNLOADABLE)]
    for line in output.columns(
        [("model", "", "good for"), *((one.name, one.state, one.good_for) for one in offered)]
    ):
        output.note(line)
    output.note("which ones? (names, separated by spaces; Enter: vggish)")
    return sys.stdin.readline().split()


def _list(folder: Path, *, as_json: bool) -> int:
    from soundalike.encoders.catalogue import known_models

    found = known_models(folder)
    if as_json:
        for one in found:
            output.json_line(asdict(one))
        return 0
    table = [(one.name, one.state, one.good_for, one.licence) for one in found]
    for line in output.columns([("model", "", "good for", "licence"), *table]):
        output.data(line)
    if not any(one.name == "aisfx" and one.state == "installed" for one in found):
        output.note("get a trained encoder with: soundalike models download aisfx")
    if any(one.state == "file needed" for one in found):
        output.note("where a needed file comes from: soundalike models show NAME")
    return 0


def _schema() -> int:
    """Print the JSON schema of manifests."""
    from soundalike.encoders.manifest import Manifest

    output.data(json.dumps(Manifest.model_json_schema(), indent=2))
    return 0


def _show(name: str, folder: Path, *, as_json: bool) -> int:
    from soundalike.encoders.catalogue import BUILT_IN, facts_of, model_info

    info = model_info(name, folder)
    if name in BUILT_IN:
        if as_json:
            output.json_line(asdict(info))
        else:
            for key, value in asdict(info).items():
                output.data(f"{key}: {value}")
        return 0
    manifest = facts_of(name, folder)
    facts = manifest.model_dump(mode="json", exclude_defaults=True, exclude={"centre", "checks"})
    layout = manifest.layout
    facts["level"] = manifest.shown_level
    facts["example_s"] = round(layout.n_samples / layout.sample_rate_hz, 3)
    facts["state"] = info.state
    if as_json:
        output.json_line(facts)
        return 0
    import yaml

    output.data(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True).rstrip())
    if info.state == "file needed":
        text = " --text TEXT.onnx --tokenizer tokenizer.json" if manifest.text else ""
        output.note(f"add its file with: soundalike models add MODEL.onnx --manifest {name}{text}")
    if manifest.status == "unverified":
        output.note("its facts were read from its code and not checked against its weights")
    return 0


def _add(model: Path, files: AddedFiles, folder: Path) -> int:
    from soundalike.encoders.installed import add_model
    from soundalike.encoders.manifest import shipped_text

    assert files.manifest is not None
    needed = [path for path in (model, files.text, files.tokenizer) if path is not None]
    if shipped_text(str(files.manifest)) is None:
        needed.append(files.manifest)
    for path in needed:
        if not path.is_file():
            raise ParameterError(f"{path} is not a file")
    added = add_model(model, files.manifest, folder, text=files.text, tokenizer=files.tokenizer)
    name = added.manifest.name
    output.note(f"added {name}: use it with --model {name}")
    return 0


def _download(name: str, folder: Path) -> int:
    from soundalike.encoders.installed import download_model, find_model

    try:
        find_model(name, folder)
        output.note(f"{name} is here already")
        return 0
    except WeightsMissing:
        pass
    output.note(f"downloading {name}")
    manifest = download_model(name, folder).manifest
    output.note(f"{manifest.title}; {manifest.licence}; {manifest.attribution}")
    output.note(
        f"use it with --model {name}, or beside the untrained one: --model logmel-modulation+{name}"
    )
    return 0


def _verify(name: str, settings: Settings, *, as_json: bool) -> int:
    from soundalike.encoders.installed import find_model
    from soundalike.encoders.model_checks import check_model

    installed = find_model(name, settings.weights_dir)
    checks = check_model(installed, precision=settings.precision)
    for check in checks:
        values = {"check": check.name, "expected": check.expected, "found": check.found, "ok": check.ok}
        if as_json:
            output.json_line(values)
        else:
            mark = "ok" if check.ok else "DIFFERS"
            output.data(f"{check.name}  {check.expected:.5g}  {check.found:.5g}  {mark}")
    if not checks:
        output.note(f"the manifest of {name} has no numbers to compare with")
    if not all(check.ok for check in checks):
        raise WeightsCorrupt(
            f"{installed.path} does not give the numbers of its manifest; remove it and download it "
            "again"
        )
    return 0


def _remove(name: str, folder: Path) -> int:
    from soundalike.encoders.installed import remove_model

    remove_model(name, folder)
    output.note(f"removed {name}; collections made with it stay as they are")
    return 0
