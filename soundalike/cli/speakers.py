"""``soundalike speakers``: enrol, identify and verify speakers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soundalike.cli import opening, options, output
from soundalike.cli.command import make_command
from soundalike.cli.search import NO_GOOD_MATCH
from soundalike.config import DOWNLOADABLE, PRECISIONS, SPEAKER_MODEL
from soundalike.errors import AudioError, ParameterError
from soundalike.speakers.requests import Acceptance

if TYPE_CHECKING:
    from soundalike.cli.place import Place
    from soundalike.client.speakers import RemoteSpeakers
    from soundalike.speakers.recognition import Recognition
    from soundalike.speakers.values import EnrolmentResult
    from soundalike.speakers.voice import VoiceEncoder
    from soundalike.store import Store

_ACTIONS = ("enrol", "identify", "verify", "list", "remove", "evaluate")
#: Words that an action needs at least.
_WORDS = {
    "enrol": (2, "NAME FILE..."),
    "identify": (1, "FILE..."),
    "verify": (2, "FILE NAME"),
    "evaluate": (1, "FOLDER"),
}


@make_command(
    "speakers",
    click.Argument(
        ["action"],
        type=click.Choice(_ACTIONS),
        default="list",
        help="enrol NAME FILE...: add recordings of a speaker; identify FILE...: tell who speaks; "
        "verify FILE NAME: tell whether NAME speaks; list [NAME]: show all speakers, or one speaker's "
        "recordings; remove NAME [FILE]...: remove a speaker, or recordings of one; evaluate FOLDER: "
        "measure errors on a folder with one subfolder for each speaker; default: list",
    ),
    click.Argument(
        ["words"],
        nargs=-1,
        type=options.FileName(str),
        metavar="[NAME|FILE]...",
        help="the speaker's name, and recordings: files, or folders for enrol",
    ),
    options.option_of(
        Acceptance, "max_false_accepts", "--max-false-accepts", type=float, metavar="RATE"
    ),
    options.option_of(Acceptance, "threshold", "--threshold", type=float, metavar="SCORE"),
    click.Option(
        ["speaker_model", "--model"],
        metavar="NAME",
        help=f"encoder of voices: {SPEAKER_MODEL}, the name of a model of your own, or "
        "logmel-modulation, which was not made for voices; default: SOUNDALIKE_SPEAKER_MODEL, else "
        f"{SPEAKER_MODEL}",
        shell_complete=lambda *_: [*DOWNLOADABLE, "logmel-modulation"],
    ),
    click.Option(
        ["--precision"],
        type=click.Choice(PRECISIONS),
        help="number format of the encoder; default: SOUNDALIKE_PRECISION, else auto",
    ),
    click.Option(
        ["--enrolled"],
        type=click.IntRange(1, 100),
        default=3,
        metavar="N",
        help="evaluate: recordings that each speaker is enrolled from; default: 3",
    ),
    click.Option(
        ["--plot"],
        type=options.FileName(),
        metavar="FILE.svg",
        help="evaluate: write the plot of false rejects against false accepts to this file",
    ),
    click.Option(["remove_all", "--all"], is_flag=True, help="remove all speakers"),
    options.flag("--yes", help="remove without asking"),
    *options.server(),
)
def command(
    place: Place,
    *,
    as_json: bool,
    action: str,
    words: tuple[str, ...],
    max_false_accepts: float | None,
    threshold: float | None,
    speaker_model: str | None,
    enrolled: int,
    plot: Path | None,
    remove_all: bool,
    yes: bool,
) -> int:
    """Run one of the actions."""
    least, usage = _WORDS.get(action, (0, ""))
    if len(words) < least or (action in ("verify", "evaluate") and len(words) > least):
        raise ParameterError(f"give: soundalike speakers {action} {usage}")
    if remove_all and (action != "remove" or words):
        raise ParameterError("--all belongs to remove, without a name")
    if plot is not None and action != "evaluate":
        raise ParameterError(f"--plot belongs to evaluate; the action is {action}")
    acceptance = Acceptance(max_false_accepts=max_false_accepts, threshold=threshold)
    service = place.service("--model" if speaker_model else "")
    if service is not None and action == "evaluate":
        raise ParameterError(f"speakers evaluate does not go through {service.url}; leave out --server")
    if action == "list":
        return _list(place, words, as_json=as_json)
    if action == "remove":
        return (
            _remove_all(place, yes=yes)
            if remove_all
            else _remove(place, words, yes=yes, as_json=as_json)
        )
    if service is None:
        opening.start_decoding(opening.UNKNOWN if action == "evaluate" else len(words))
    if action == "evaluate":
        from soundalike.cli import speakers_evaluate

        encoder = _encoder(place, speaker_model)
        return speakers_evaluate.run(
            words[0], encoder, enrolled, max_false_accepts, plot, as_json=as_json
        )
    with _opened(place, speaker_model) as recognition:
        if action == "enrol":
            return _enrol(recognition, words[0], words[1:], as_json=as_json)
        if action == "verify":
            return _verify(recognition, *words, acceptance=acceptance, as_json=as_json)
        return _identify(recognition, words, acceptance, as_json=as_json)


@contextmanager
def _speakers(place: Place) -> Iterator[Store | RemoteSpeakers]:
    """Yield the speakers of this machine, or of the service."""
    if service := place.service():
        yield service.speakers
        return
    with opening.opened_store(place.settings()) as store:
        yield store


@contextmanager
def _opened(place: Place, model: str | None) -> Iterator[Recognition | RemoteSpeakers]:
    from soundalike.speakers.recognition import Recognition

    if service := place.service():
        yield service.speakers
        return
    with opening.opened_store(place.settings()) as store:
        yield Recognition(store, _encoder(place, model))


def _encoder(place: Place, model: str | None) -> VoiceEncoder:
    """Load the encoder of voices and say which one it is."""
    from dataclasses import replace

    from soundalike.config import check_model
    from soundalike.speakers.voice import MADE_FOR_VOICES, open_voice_encoder

    settings = place.settings()
    if model is not None:
        check_model(model, settings.weights_dir, "--model")
        settings = replace(settings, speaker_model=model)
    encoder = open_voice_encoder(settings)
    hint = "" if encoder.spec.encoder in MADE_FOR_VOICES else "; it was not made for voices"
    output.note(f"encoder: {encoder.spec.encoder} ({encoder.encoder.description}{hint})")
    return encoder


def _enrol(
    recognition: Recognition | RemoteSpeakers, name: str, files: Sequence[str], *, as_json: bool
) -> int:
    from soundalike.cli.paths import sound_files

    found = sound_files(files).files
    if not found:
        raise ParameterError(f"no sound files are in {', '.join(files)}; check the path")
    failed = 0
    for result in recognition.enrol(name, found):
        failed += result.outcome == "failed"
        _tell_enrolled(result, as_json=as_json)
    output.note(f"{len(found)} files, {failed} failed")
    return AudioError.exit_status if failed else 0


def _tell_enrolled(result: EnrolmentResult, *, as_json: bool) -> None:
    name = output.visible(output.short_path(result.uri))
    for warning in result.warnings:
        output.note(f"warning: {name}: {warning}")
    if as_json:
        output.json_line(asdict(result))
    elif result.outcome != "failed":
        output.data(f"{result.speaker}  {name}  {result.outcome}, {result.speech_s:.1f} s of speech")
    if result.error is not None:
        output.note(f"failed: {name}: {output.visible(result.error)} [{result.error_code}]")


def _identify(
    recognition: Recognition | RemoteSpeakers,
    files: Sequence[str],
    acceptance: Acceptance,
    *,
    as_json: bool,
) -> int:
    from soundalike.speakers.answer_json import identification_json

    status = 0
    for file in files:
        try:
            found = recognition.identify(file, acceptance)
        except AudioError as exc:
            if len(files) == 1:
                raise
            output.note(f"failed: {output.visible(file)}: {exc.message} [{exc.code}]")
            status = exc.exit_status
            continue
        status = status or (NO_GOOD_MATCH if found.speaker is None else 0)
        row = identification_json(found)
        if as_json:
            output.json_line(row)
            continue
        others = ", ".join(f"{one.speaker} {one.score:.3f}" for one in found.candidates)
        output.data(
            f"{found.speaker or 'unknown speaker'}  {output.visible(output.short_path(found.uri))}  "
            f"best: {others}"
        )
        _tell_threshold(row)
    return status


def _verify(
    recognition: Recognition | RemoteSpeakers,
    file: str,
    name: str,
    *,
    acceptance: Acceptance,
    as_json: bool,
) -> int:
    from soundalike.speakers.answer_json import verification_json

    found = recognition.verify(file, name, acceptance)
    row = verification_json(found)
    if as_json:
        output.json_line(row)
    else:
        answer = "accepted" if found.accepted else "rejected"
        output.data(
            f"{answer}  {found.speaker}  {output.visible(output.short_path(found.uri))}  "
            f"score {found.score:.3f}"
        )
        _tell_threshold(row)
    return 0 if found.accepted else NO_GOOD_MATCH


def _tell_threshold(row: dict[str, Any]) -> None:
    for warning in row["warnings"]:
        output.note(f"warning: {warning}")
    if row["false_accept_rate"] is None:
        output.note(f"threshold {row['threshold']:.3f}, given; its rate of false accepts is not known")
        return
    low, high = row["false_accept_interval"]
    output.note(
        f"threshold {row['threshold']:.3f}: {row['false_accept_rate']:.2%} of strangers are accepted "
        f"(95 % interval {low:.2%} to {high:.2%}), measured on {row['measured_on']}"
    )


def _list(place: Place, words: Sequence[str], *, as_json: bool) -> int:
    if len(words) > 1:
        raise ParameterError("speakers list takes one name at most")
    with _speakers(place) as store:
        rows = [asdict(one) for one in (store.utterances(words[0]) if words else store.speakers())]
        spec = store.voice_spec()
    if as_json:
        for row in rows:
            output.json_line(
                {
                    **row,
                    "speech_s": round(row["speech_s"], 3),
                    "enrolled_at": row["enrolled_at"].isoformat(),
                }
            )
        return 0
    if not rows:
        output.note("no speakers are enrolled; enrol one: soundalike speakers enrol NAME FILE")
        return 0
    if words:
        lines = [("recording", "speech", "recording_id")]
        lines += [
            (
                output.visible(output.short_path(row["uri"])),
                f"{row['speech_s']:.1f} s",
                row["recording_id"],
            )
            for row in rows
        ]
    else:
        lines = [("speaker", "recordings", "speech")]
        lines += [(row["name"], str(row["utterances"]), f"{row['speech_s']:.1f} s") for row in rows]
    output.table(output.columns(lines, right=(1,) if words else (1, 2)))
    count = f"{len(rows)} {'recordings' if words else 'speakers'}"
    output.note(f"{count}, encoder {spec.encoder}" if spec else count)
    return 0


def _remove(place: Place, words: Sequence[str], *, yes: bool, as_json: bool) -> int:
    if not words:
        raise ParameterError("give: soundalike speakers remove NAME [FILE]..., or --all")
    name, keys = words[0], words[1:]
    if not keys and not yes and not opening.confirmed(f"Remove the speaker {name}? Type yes:"):
        output.note("nothing was removed; confirm with --yes")
        return 2
    with _speakers(place) as store:
        if keys:
            return _remove_utterances(name, keys, store, as_json=as_json)
        removed = store.remove_speaker(name)
    gone = removed if isinstance(removed, int) else len(removed)
    if not gone:
        from soundalike.store.voices import speaker_not_found

        raise speaker_not_found(name)
    if as_json:
        output.json_line({"speaker": name, "removed": gone})
    output.note(f"the speaker {name} was removed, with {gone} recordings; the files stay")
    return 0


def _remove_utterances(
    name: str, keys: Sequence[str], store: Store | RemoteSpeakers, *, as_json: bool
) -> int:
    """Remove recordings of a speaker by path or id."""
    from soundalike.audio.sources import stored_names

    known = {one.uri: one.recording_id for one in store.utterances(name)}
    missing = 0
    for key in keys:
        found = next((known[uri] for uri in stored_names(key) if uri in known), key)
        is_gone = store.remove_utterance(name, found)
        missing += not is_gone
        if as_json:
            output.json_line({"speaker": name, "key": key, "removed": int(is_gone)})
        what = "was removed" if is_gone else "is not a recording of this speaker"
        output.note(f"{output.visible(key)}: {what}")
    return AudioError.exit_status if missing else 0


def _remove_all(place: Place, *, yes: bool) -> int:
    if not yes and not opening.confirmed("Remove all speakers? Type yes:"):
        output.note("nothing was removed; confirm with --yes")
        return 2
    with _speakers(place) as store:
        names = [one.name for one in store.speakers()]
        for name in names:
            store.remove_speaker(name)
    output.note(f"{len(names)} speakers were removed; the files stay")
    return 0
