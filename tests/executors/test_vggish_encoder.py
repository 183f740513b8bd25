"""VGGishEncoder: windows to unit vectors, with the weight-free encoder and with the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from docarray import DocList

from executors.messages.documents import Clip, EmbeddedClip, SegmentedClip, Status
from soundalike.audio.windows import WindowPlan
from soundalike.config import Settings
from soundalike.encoders.choice import load_encoder
from soundalike.encoders.installed import add_model
from soundalike.errors import ConfigError, ParameterError, WeightsCorrupt, WeightsMissing
from soundalike.indexing.pipeline import Pipeline
from soundalike.store import MemoryStore
from tests.fixtures.models import WAVEFORM, Make

Load = Callable[..., Any]
Write = Callable[..., Path]


@pytest.fixture
def segmented(load_executor: Load) -> Callable[..., DocList[SegmentedClip]]:
    """Cut files as the Flow does, with the segmenter's parameters."""

    def cut(*paths: Path, **parameters: Any) -> DocList[SegmentedClip]:
        clips = DocList[Clip](Clip(uri=str(path)) for path in paths)
        return load_executor("audio_segmenter", **parameters).segment(clips)

    return cut


def _rows(doc: EmbeddedClip) -> np.ndarray:
    return np.stack([chunk.embedding for chunk in doc.chunks])


def test_each_window_gets_512_numbers_of_length_1(
    load_executor: Load, segmented: Callable[..., Any], tone_file: Write
):
    (doc,) = load_executor("vggish_encoder").encode(segmented(tone_file()))

    rows = _rows(doc)
    assert rows.shape == (4, 512)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert doc.dimension == 512
    assert doc.fingerprint


def test_without_weights_the_encoder_is_weight_free_and_says_so(
    load_executor: Load, segmented: Callable[..., Any], tone_file: Write
):
    encoder = load_executor("vggish_encoder")
    (doc,) = encoder.encode(segmented(tone_file()))
    (status,) = encoder.status(DocList[Status]([Status()]))

    assert doc.encoder == status.configured_encoder == "logmel-modulation"
    assert "weight-free" in status.encoder_description
    assert status.encoder_level == "relative to the loudest frame of each second"


@pytest.mark.parametrize("window_size", [1, 3, 10])
def test_each_second_of_a_window_gives_128_numbers(
    load_executor: Load, segmented: Callable[..., Any], tone_file: Write, window_size: int
):
    docs = segmented(tone_file(), window_size=window_size)
    (doc,) = load_executor("vggish_encoder").encode(docs)

    assert doc.dimension == 128 * window_size
    assert _rows(doc).shape[1] == 128 * window_size


def test_what_is_known_of_the_clip_travels_on_and_the_audio_does_not(
    load_executor: Load, segmented: Callable[..., Any], tone_file: Write
):
    (cut,) = docs = segmented(tone_file("dog/bark.wav"))
    (doc,) = load_executor("vggish_encoder").encode(docs)

    for name in ("id", "uri", "label", "tags", "recording_id", "duration_s", "window_s", "stride_s"):
        assert getattr(doc, name) == getattr(cut, name), name
    assert not {"samples", "spool_name"} & doc.model_dump().keys()


def test_similar_sounds_end_up_closer(
    load_executor: Load, segmented: Callable[..., Any], tone_file: Write, noise_file: Write
):
    paths = [
        tone_file("a.wav", 440.0),
        tone_file("b.wav", 470.0),
        noise_file("c.wav"),
        noise_file("d.wav"),
    ]
    tone, other_tone, noise, other_noise = (
        _rows(doc)[0] for doc in load_executor("vggish_encoder").encode(segmented(*paths))
    )

    assert tone @ other_tone > max(tone @ noise, other_tone @ other_noise)
    assert noise @ other_noise > max(noise @ tone, noise @ other_tone)


def test_the_batch_size_decides_how_many_patches_go_together(
    load_executor: Load, segmented: Callable[..., Any], tone_file: Write, noise_file: Write
):
    docs = segmented(tone_file(), noise_file())
    sizes: dict[int, list[int]] = {}
    rows = {}
    for batch_size in (7, 64):
        encoder = load_executor("vggish_encoder", batch_size=batch_size)
        embed, seen = encoder._encoder.embed_patches, sizes.setdefault(batch_size, [])
        encoder._encoder.embed_patches = lambda log_mel, embed=embed, seen=seen: (
            seen.append(len(log_mel)),
            embed(log_mel),
        )[1]
        rows[batch_size] = [_rows(doc) for doc in encoder.encode(docs)]

    # Ten seconds have ten patches; the documents of a request share the batches.
    assert sizes == {7: [7, 7, 6], 64: [20]}
    np.testing.assert_allclose(rows[7], rows[64], atol=1e-6)


def test_the_example_hop_has_its_effect(
    load_executor: Load, segmented: Callable[..., Any], noise_file: Write
):
    path = noise_file()
    (standard,) = load_executor("vggish_encoder").encode(segmented(path))
    (published,) = load_executor("vggish_encoder", example_hop_seconds=0.96).encode(segmented(path))

    assert published.dimension == 512
    assert published.fingerprint != standard.fingerprint
    assert not np.allclose(_rows(published), _rows(standard), atol=1e-3)


@pytest.mark.parametrize(
    "parameters", [{"batch_size": 0}, {"example_hop_seconds": 0}, {"example_hop_seconds": -1}]
)
def test_parameters_out_of_range_are_refused(
    load_executor: Load, segmented: Callable[..., Any], tone_file: Write, parameters: dict[str, Any]
):
    docs = segmented(tone_file())

    with pytest.raises(ParameterError, match=str(next(iter(parameters.values())))):
        load_executor("vggish_encoder", **parameters).encode(docs)


def test_a_model_that_does_not_exist_is_refused(load_executor: Load):
    with pytest.raises(ConfigError, match="'resnet'"):
        load_executor("vggish_encoder", model="resnet")


def test_vggish_without_weights_says_how_to_get_them(load_executor: Load, tmp_path: Path):
    with pytest.raises(WeightsMissing, match="soundalike models download"):
        load_executor("vggish_encoder", model="vggish", weights_dir=str(tmp_path))


def test_the_weights_folder_is_looked_into(load_executor: Load, tmp_path: Path):
    (tmp_path / "vggish_model.ckpt").write_text("not the published file")

    with pytest.raises(WeightsCorrupt, match=str(tmp_path)):
        load_executor("vggish_encoder", model="vggish", weights_dir=str(tmp_path))
    assert (
        load_executor("vggish_encoder", weights_dir=str(tmp_path))._encoder.name == "logmel-modulation"
    )


def test_no_documents_are_no_error(load_executor: Load):
    assert len(load_executor("vggish_encoder").encode(DocList[SegmentedClip]())) == 0


def test_marked_documents_pass_and_the_rest_is_done(
    load_executor: Load, segmented: Callable[..., Any], tone_file: Write, tmp_path: Path
):
    docs = segmented(tmp_path / "missing.wav", tone_file(), tmp_path / "gone.wav")
    bad, good, other = load_executor("vggish_encoder").encode(docs)

    assert (bad.error_code, other.error_code) == ("audio.not_found", "audio.not_found")
    assert (bad.uri, len(bad.chunks), bad.dimension) == (str(tmp_path / "missing.wav"), 0, 0)
    assert good.error_code is None
    assert _rows(good).shape == (4, 512)


def test_a_document_without_audio_is_marked_and_the_rest_is_done(
    load_executor: Load, segmented: Callable[..., Any], tone_file: Write
):
    """What a client sends that calls the executor by itself."""
    (whole,) = segmented(tone_file())
    bare = SegmentedClip(uri="bare")
    no_samples = whole.model_copy(update={"id": "x", "samples": None})
    docs = load_executor("vggish_encoder").encode(DocList[SegmentedClip]([bare, whole, no_samples]))

    assert [doc.error_code is None for doc in docs] == [False, True, False]
    assert _rows(docs[1]).shape == (4, 512)


def test_spooled_audio_gives_the_same_and_is_removed(
    load_executor: Load, segmented: Callable[..., Any], tone_file: Write, tmp_path: Path
):
    from executors.messages import spool

    encoder = load_executor("vggish_encoder", spool_dir=str(tmp_path / "spool"))
    docs = segmented(tone_file())
    (inline,) = encoder.encode(docs)
    docs[0].spool_name = spool.put(tmp_path / "spool", docs[0].samples)
    docs[0].samples = None
    (spooled,) = encoder.encode(docs)

    np.testing.assert_array_equal(_rows(spooled), _rows(inline))
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize("name", ["0" * 32 + ".f32", "../../etc/passwd", "/etc/passwd", ".."])
def test_a_spool_file_that_is_not_there_or_no_spool_file_is_marked(
    load_executor: Load, segmented: Callable[..., Any], tone_file: Write, tmp_path: Path, name: str
):
    docs = segmented(tone_file(), tone_file())
    docs[0].samples, docs[0].spool_name = None, name
    lost, kept = load_executor("vggish_encoder", spool_dir=str(tmp_path)).encode(docs)

    assert lost.error_code == "service.unavailable"
    assert "SOUNDALIKE_SPOOL_DIR" in lost.error
    assert kept.error_code is None
    assert Path("/etc/passwd").exists()


@pytest.mark.model
@pytest.mark.parametrize("by", ["parameter", "environment"])
def test_a_checkpoint_makes_the_encoder_vggish(
    by: str,
    load_executor: Load,
    segmented: Callable[..., Any],
    tone_file: Write,
    v1_checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    if by == "environment":
        monkeypatch.setenv("SOUNDALIKE_CHECKPOINT", str(v1_checkpoint))
        encoder = load_executor("vggish_encoder")
    else:
        encoder = load_executor("vggish_encoder", checkpoint=str(v1_checkpoint), precision="float32")
        assert encoder._encoder._inner.precision == "float32"
    first, second = encoder.encode(segmented(tone_file("a.wav"), tone_file("b.wav", 3000.0)))
    (status,) = encoder.status(DocList[Status]([Status()]))

    assert first.encoder == second.encoder == status.configured_encoder == "vggish"
    assert (first.dimension, _rows(first).shape) == (512, (4, 512))
    np.testing.assert_allclose(np.linalg.norm(_rows(first), axis=1), 1, atol=1e-4)
    assert _rows(first)[0] @ _rows(first)[1] > _rows(first)[0] @ _rows(second)[0]


@pytest.fixture
def high(load_executor: Load, make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a model for samples at 44.1 kHz, beside the weight-free encoder."""
    facts = {**WAVEFORM, "sample_rate_hz": 44_100, "samples": 44_100}
    add_model(*make_model((44_100,), "high", input=facts), tmp_path / "weights")
    monkeypatch.setenv("SOUNDALIKE_WEIGHTS_DIR", str(tmp_path / "weights"))
    monkeypatch.setenv("SOUNDALIKE_MODEL", "logmel-modulation+high")


def test_segmenter_and_encoder_agree_on_the_rate(
    high: None, load_executor: Load, segmented: Callable[..., Any], tone_file: Write
):
    path = tone_file()
    docs = segmented(path)
    (doc,) = load_executor("vggish_encoder").encode(docs)

    assert docs[0].sample_rate_hz == 44_100
    assert (doc.encoder, doc.dimension) == ("logmel-modulation+high", 512 + 6)
    settings = Settings.from_env()
    encoder = load_encoder(settings.model, settings.weights_dir)
    _, rows = Pipeline(MemoryStore(), encoder, WindowPlan()).embed(path)
    np.testing.assert_allclose(_rows(doc), rows, atol=1e-5)


def test_samples_of_a_lower_rate_fail_as_that_clips_fault(
    high: None, load_executor: Load, segmented: Callable[..., Any], tone_file: Write
):
    docs = segmented(tone_file(), model="logmel-modulation")
    (doc,) = load_executor("vggish_encoder").encode(docs)

    assert doc.error_code == "parameter.invalid"
    assert "cut at 16000 Hz; the encoder logmel-modulation+high needs sample_rate_hz=44100" in doc.error


def test_windows_that_are_too_short_for_the_encoder_fail(
    high: None, load_executor: Load, segmented: Callable[..., Any], tone_file: Write
):
    docs = segmented(tone_file(), window_size=0.98)
    (doc,) = load_executor("vggish_encoder").encode(docs)

    assert doc.error_code == "parameter.invalid"
    assert "this encoder needs windows of at least 1.0 s" in doc.error
