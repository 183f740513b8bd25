"""``soundalike speakers evaluate``: measure the errors of speaker recognition on a folder."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from soundalike.cli import output
from soundalike.cli.paths import sound_files
from soundalike.errors import AudioError, AudioNotFound
from soundalike.speakers.requests import DEFAULT_RATE

if TYPE_CHECKING:
    from soundalike.speakers.evaluation import Estimate, SpeakerEvaluation
    from soundalike.speakers.voice import VoiceEncoder
    from soundalike.types import FloatArray


def run(
    folder: str,
    encoder: VoiceEncoder,
    n_enrolled: int,
    rate: float | None,
    plot: Path | None,
    *,
    as_json: bool,
) -> int:
    """Evaluate, print the rates, and write the plot where one is asked for."""
    from soundalike.speakers.evaluation import evaluate

    if not Path(folder).is_dir():
        raise AudioNotFound(f"{folder!r} is not a folder; give one with a folder for each speaker")
    voices, failed = _voices(sound_files([folder]).files, encoder)
    found = evaluate(voices, encoder.spec.encoder, n_enrolled, rate or DEFAULT_RATE)
    if as_json:
        output.json_line({**json_row(found), "failed": failed})
    else:
        for line in lines(found):
            output.data(line)
    if plot is not None:
        from soundalike.speakers.plots import write_plot

        write_plot(plot, {found.encoder: found.curve})
        output.note(f"the plot is in {plot}")
    return AudioError.exit_status if failed else 0


def _voices(files: list[Path], encoder: VoiceEncoder) -> tuple[dict[str, FloatArray], int]:
    """Return the vectors of each folder's recordings, and the number of failures."""
    import numpy as np

    from soundalike.audio.sources import folder_label
    from soundalike.runtime.parallel import map_ahead

    rows: defaultdict[str, list[FloatArray]] = defaultdict(list)
    failed = 0
    show = output.progress(len(files), "embedding")

    def vector_of(path: Path) -> FloatArray | AudioError:
        try:
            return encoder.voice_in(path).vector
        except AudioError as exc:
            return exc

    for number, (path, found) in enumerate(zip(files, map_ahead(vector_of, files), strict=True), 1):
        show(number)
        if isinstance(found, AudioError):
            failed += 1
            output.note(
                f"failed: {output.visible(output.short_path(str(path)))}: {found.message} [{found.code}]"
            )
        else:
            rows[folder_label(path) or ""].append(found)
    return {name: np.stack(rows[name]) for name in sorted(rows)}, failed


def json_row(found: SpeakerEvaluation) -> dict[str, Any]:
    """Return an evaluation as a JSON object."""
    row = asdict(found)
    row.pop("curve")
    return row


def lines(found: SpeakerEvaluation) -> list[str]:
    """Return an evaluation for people."""
    rows = [
        ("encoder", found.encoder),
        ("speakers", str(found.speakers)),
        ("recordings", str(found.recordings)),
        ("enrolled_from", str(found.enrolled_from)),
        ("equal_error_rate", _shown(found.equal_error_rate)),
        ("identification", _shown(found.identification)),
    ]
    for test in found.held_out:
        rows += [
            (f"strangers_accepted/{test.split}", _shown(test.strangers_accepted)),
            (f"known_identified/{test.split}", _shown(test.known_identified)),
        ]
    for point in found.points:
        low, high = point.interval
        rows.append(
            (
                f"threshold/{point.false_accept_rate:g}",
                f"{point.threshold:.3f} [rate {low:.4f}, {high:.4f}]",
            )
        )
    return output.columns(rows)


def _shown(estimate: Estimate) -> str:
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"
