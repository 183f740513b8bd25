"""``soundalike models``: show, download or verify the encoder's weights."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from soundalike.cli import model_files, options, output
from soundalike.cli.command import make_command
from soundalike.encoders.mirrors import Sources, sources_in
from soundalike.encoders.weights import (
    CHECKPOINT,
    PCA_PARAMS,
    PUBLISHED,
    WeightsFile,
    download,
    lacks_file,
    shown_url,
    verified_path,
)
from soundalike.errors import DownloadFailed, ParameterError, WeightsCorrupt, WeightsMissing

if TYPE_CHECKING:
    from pathlib import Path

    from soundalike.cli.place import Place
    from soundalike.config import Settings
    from soundalike.encoders.verification import Check, Expected
    from soundalike.encoders.vggish.postprocess import Postprocessor

#: What `verify` holds the weights to; None: what is published.
EXPECTED: Expected | None = None


@make_command(
    "models",
    click.Argument(
        ["action"],
        type=click.Choice(("list", "show", "schema", "add", "download", "verify", "remove", "status")),
        help="list the encoders; show what is known of one; print the JSON schema of manifests; add a "
        "model file of your own; download the files of VGGish or of the named models and check them "
        "(without a name a terminal is asked which ones); verify: compare with the published "
        "numbers (exit status 4 if they differ); remove a model file; or show the files of VGGish",
    ),
    click.Argument(["names"], nargs=-1, metavar="[NAME]...", help="of models, or the ONNX file to add"),
    click.Option(
        ["--manifest"],
        type=options.FileName(),
        metavar="FILE.yml|NAME",
        help="the facts of the model file to add, or the name of a model in the list whose file is "
        "needed; see docs/encoders.md",
    ),
    click.Option(
        ["text_network", "--text"],
        type=options.FileName(),
        metavar="TEXT.onnx",
        help="the model's network for texts, where it has one",
    ),
    click.Option(
        ["--tokenizer"],
        type=options.FileName(),
        metavar="FILE.json",
        help="the tokenizer of that network: a tokenizer.json",
    ),
    click.Option(
        ["source", "--from"],
        metavar="PATH|URL",
        help="download from a folder, a file or a mirror: the address (http, https, file) under which "
        "vggish_model.ckpt and vggish_pca_params.npz lie, or of one of them; the content must be that "
        "of the published file. If only the PCA file is missing there, the exit status is 0",
    ),
    click.Option(
        ["--checkpoint"],
        type=options.FileName(),
        metavar="FILE",
        help="verify this checkpoint instead; default: SOUNDALIKE_CHECKPOINT, else the published one",
    ),
    server="noted",
)
def command(
    place: Place,
    *,
    as_json: bool,
    action: str,
    names: tuple[str, ...],
    source: str | None,
    manifest: Path | None,
    text_network: Path | None,
    tokenizer: Path | None,
) -> int:
    """Run one of the actions."""
    settings = place.settings()
    added = model_files.AddedFiles(manifest=manifest, text=text_network, tokenizer=tokenizer)
    added.check(action, names)
    if source is not None and action != "download":
        raise ParameterError(f"--from belongs to download; the action is {action}")
    if place.checkpoint and action != "verify":
        raise ParameterError(f"--checkpoint belongs to verify; the action is {action}")
    if action == "download" and not names and source is None and _is_asked():
        names = tuple(model_files.chosen_download(settings.weights_dir))
    own = [name for name in names if name != "vggish"]
    if action == "download" and own:
        if len(own) < len(names):
            _download_all(source, settings)
        return model_files.run(action, own, added, settings, as_json=as_json)
    if action not in ("verify", "download", "status") or own:
        return model_files.run(action, names, added, settings, as_json=as_json)
    if action == "verify":
        return _verify(settings, as_json=as_json)
    if action == "download":
        _download_all(source, settings)
    return _status(settings.weights_dir, as_json=as_json)


def _is_asked() -> bool:
    """Tell whether a person is at a terminal; scripts download VGGish without a question."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _status(folder: Path, *, as_json: bool) -> int:
    states = {file.name: _state(file, folder) for file in PUBLISHED}
    for state in states.values():
        if as_json:
            output.json_line(state)
        else:
            output.data("  ".join(state[key] for key in ("state", "file", "path")))
    missing = [name for name, state in states.items() if state["state"] != "verified"]
    if missing == [PCA_PARAMS.name]:
        output.note(f"{PCA_PARAMS.name} is needed for post-processing only, which is off by default")
    elif missing:
        output.note("without VGGish's weights the encoder is logmel-modulation, which is weight-free")
    if missing:
        output.note("fetch them with: soundalike models download; from a mirror or a folder: --from")
    corrupt = any(state["state"] == "corrupt" for state in states.values())
    return WeightsCorrupt.exit_status if corrupt else 0


def _state(file: WeightsFile, folder: Path) -> dict[str, str]:
    try:
        path = verified_path(file, folder)
        state = "missing" if path is None else "verified"
    except WeightsCorrupt as exc:
        output.note(str(exc))
        state = "corrupt"
    return {"file": file.name, "state": state, "path": str(folder / file.name), "url": file.url}


def _download_all(source: str | None, settings: Settings) -> None:
    """Fetch what is not here yet; that the source lacks the PCA file is said, but no failure."""
    folder = settings.weights_dir
    sources: Sources = [(file, file.url) for file in PUBLISHED]
    if source is not None:
        sources = sources_in(source, PUBLISHED)
    fetched, absent = [], {}
    for file, place in sources:
        try:
            if _download(file, place, folder):
                fetched.append(file.name)
        except DownloadFailed as exc:
            if not lacks_file(exc) or len(sources) == 1:
                raise
            absent[file.name] = exc
    for name, error in absent.items():
        if name != PCA_PARAMS.name or len(absent) == len(sources):
            raise error
        output.note(f"not there: {error.message} [{error.code}]")
    if CHECKPOINT.name in fetched and settings.model == "auto" and settings.checkpoint is None:
        output.note(
            "from now on the encoder is vggish; an index that was made with logmel-modulation must "
            "be rebuilt: soundalike reindex"
        )


def _download(file: WeightsFile, place: str | Path, folder: Path) -> bool:
    """Fetch a file unless it is here; tell whether it was fetched."""
    try:
        if verified_path(file, folder) is not None:
            return False
    except WeightsCorrupt as exc:
        output.note(f"replacing it: {exc}")
    output.note(f"fetching {shown_url(place) if isinstance(place, str) else place}")
    with output.transfer(file.name) as show:
        download(file, folder, source=place, on_progress=show)
    return True


def _verify(settings: Settings, *, as_json: bool) -> int:
    from soundalike.encoders.choice import vggish_checkpoint
    from soundalike.encoders.verification import verify

    checkpoint = vggish_checkpoint(settings.weights_dir, settings.checkpoint)
    postprocessor = _postprocessor(settings.weights_dir)
    output.note(f"3 s of a sine of 1 kHz through {checkpoint}")
    checks = verify(checkpoint, postprocessor, expected=EXPECTED, precision=settings.precision)
    _print_checks(checks, as_json=as_json)
    wrong = [check.name for check in checks if not check.ok]
    if wrong:
        advice = "delete it and run: soundalike models download"
        if settings.checkpoint is not None:
            advice = "that is wrong for a copy of the published weights, and usual for any others"
        raise WeightsCorrupt(f"{checkpoint}: {', '.join(wrong)} not as published; {advice}")
    output.note("OK: these weights give here what their publisher says")
    return 0


def _postprocessor(folder: Path) -> Postprocessor | None:
    from soundalike.encoders.clips import load_postprocessor

    try:
        return load_postprocessor(folder)
    except WeightsMissing as exc:
        output.note(f"post-processing is not checked: {exc}")
        return None


def _print_checks(checks: Sequence[Check], *, as_json: bool) -> None:
    if as_json:
        for check in checks:
            output.json_line(
                {
                    "check": check.name,
                    "precision": check.precision,
                    "expected": _plain(check.expected),
                    "found": _plain(check.found),
                    "ok": check.ok,
                }
            )
        return
    rows = [("check", "precision", "expected", "found", "")]
    for check in checks:
        values = (_shown(check.expected), _shown(check.found))
        rows.append((check.name, check.precision or "", *values, "ok" if check.ok else "DIFFERS"))
    output.table(output.columns(rows))


def _plain(value: float | tuple[int, ...]) -> Any:
    """Return a value that JSON has: null for NaN and infinity."""
    return value if isinstance(value, tuple) or math.isfinite(value) else None


def _shown(value: float | tuple[int, ...]) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else f"{value:.6g}"
