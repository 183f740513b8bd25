"""``soundalike models`` for model files: list, show, add, download, verify and remove them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundalike.cli import output
from soundalike.config import DOWNLOADABLE, MODELS, Settings
from soundalike.errors import ParameterError, WeightsCorrupt, WeightsMissing

if TYPE_CHECKING:
    from soundalike.encoders.manifest import Manifest

_BUILT_IN = tuple(name for name in MODELS if name != "auto")


def check_added(action: str, names: Sequence[str], manifest: Path | None) -> None:
    """Raise `ParameterError` unless one file and its manifest are to be added."""
    if action != "add":
        raise ParameterError(f"--manifest belongs to add; the action is {action}")
    if len(names) != 1 or manifest is None:
        raise ParameterError(
            "give one model file and its facts: models add MODEL.onnx --manifest FILE.yml"
        )


def run(
    action: str, names: Sequence[str], manifest: Path | None, settings: Settings, *, as_json: bool
) -> int:
    """Run an action on model files; return the exit status."""
    folder = settings.weights_dir
    if action == "list":
        return _list(folder, as_json=as_json)
    if action == "add":
        assert manifest is not None
        return _add(Path(names[0]), manifest, folder)
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


def _list(folder: Path, *, as_json: bool) -> int:
    from soundalike.encoders.installed import installed_names

    installed = installed_names(folder)
    rows = [
        _row(name, folder, installed) for name in dict.fromkeys((*_BUILT_IN, *DOWNLOADABLE, *installed))
    ]
    if as_json:
        for row in rows:
            output.json_line(row)
        return 0
    table = [tuple(str(row[key]) for key in ("name", "state", "good_for", "licence")) for row in rows]
    for line in output.columns([("model", "", "good for", "licence"), *table]):
        output.data(line)
    if "aisfx" not in installed:
        output.note("get a trained encoder with: soundalike models download aisfx")
    return 0


def _row(name: str, folder: Path, installed: Sequence[str]) -> dict[str, Any]:
    from soundalike.encoders.weights import CHECKPOINT

    if name == "logmel-modulation":
        facts = {"good_for": "everything, not trained", "licence": "this project's"}
        return {"name": name, "state": "built in", **facts}
    if name == "vggish":
        state = "installed" if (folder / CHECKPOINT.name).is_file() else "not here"
        return {"name": name, "state": state, "good_for": "general sounds", "licence": "Apache-2.0"}
    manifest = _manifest(name, folder)
    state = "installed" if name in installed else "not here"
    return {"name": name, "state": state, "good_for": manifest.good_for, "licence": manifest.licence}


def _manifest(name: str, folder: Path) -> Manifest:
    from soundalike.encoders.installed import find_model
    from soundalike.encoders.manifest import shipped_manifests

    shipped = shipped_manifests().get(name)
    return shipped or find_model(name, folder).manifest


def _show(name: str, folder: Path, *, as_json: bool) -> int:
    if name in _BUILT_IN:
        from soundalike.encoders.choice import network_level

        row = {**_row(name, folder, ()), "level": network_level(name, folder)}
        if as_json:
            output.json_line(row)
        else:
            for key, value in row.items():
                output.data(f"{key}: {value}")
        return 0
    manifest = _manifest(name, folder)
    facts = manifest.model_dump(mode="json", exclude_defaults=True, exclude={"centre", "checks"})
    layout = manifest.layout
    facts["level"] = manifest.shown_level
    facts["example_s"] = round(layout.n_samples / layout.sample_rate_hz, 3)
    if as_json:
        output.json_line(facts)
        return 0
    import yaml

    output.data(yaml.safe_dump(facts, sort_keys=False, allow_unicode=True).rstrip())
    return 0


def _add(model: Path, manifest: Path, folder: Path) -> int:
    from soundalike.encoders.installed import add_model

    for path in (model, manifest):
        if not path.is_file():
            raise ParameterError(f"{path} is not a file")
    added = add_model(model, manifest, folder)
    output.note(f"added {added.manifest.name}: use it with --model {added.manifest.name}")
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
