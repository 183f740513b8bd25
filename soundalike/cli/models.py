"""``soundalike models``: whether the weights are here, and how they get here."""

from __future__ import annotations

import argparse
from pathlib import Path

from soundalike.cli import output
from soundalike.cli.commands import settings_from
from soundalike.errors import WeightsCorrupt
from soundalike.weights import PUBLISHED, WeightsFile, download, verified_path


def run(arguments: argparse.Namespace) -> int:
    """Run ``models status`` or ``models download``."""
    folder = settings_from(arguments).weights_dir
    if arguments.action == "download":
        for file in PUBLISHED:
            _download(file, folder)
    states = [_state(file, folder) for file in PUBLISHED]
    for state in states:
        if arguments.json:
            output.json_line(state)
        else:
            output.data("  ".join(str(state[key]) for key in ("state", "file", "path")))
    if any(state["state"] != "verified" for state in states):
        output.note("without VGGish's weights the encoder is logmel-modulation, which is weight-free")
        output.note("fetch them with: soundalike models download")
    return 0 if all(state["state"] != "corrupt" for state in states) else WeightsCorrupt.exit_status


def _state(file: WeightsFile, folder: Path) -> dict[str, str]:
    try:
        path = verified_path(file, folder)
        state = "missing" if path is None else "verified"
    except WeightsCorrupt as exc:
        output.note(str(exc))
        state = "corrupt"
    return {"file": file.name, "state": state, "path": str(folder / file.name), "url": file.url}


def _download(file: WeightsFile, folder: Path) -> None:
    try:
        if verified_path(file, folder) is not None:
            return
    except WeightsCorrupt as exc:
        output.note(f"replacing it: {exc}")
    bar = None

    def show(here: int, total: int | None) -> None:
        nonlocal bar
        if bar is None:
            from tqdm import tqdm

            bar = tqdm(total=total, desc=file.name, unit="B", unit_scale=True, leave=False)
        bar.update(here - bar.n)

    output.note(f"fetching {file.url}")
    download(file, folder, on_progress=show)
    if bar is not None:
        bar.close()
