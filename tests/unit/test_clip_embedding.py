"""One call from a file to its vectors."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from soundalike.audio.log_mel import log_mel_spectrogram
from soundalike.encoders import clips
from soundalike.encoders.clips import embed_audio, embed_files
from soundalike.encoders.modulation import Modulation
from soundalike.encoders.vggish.postprocess import Postprocessor
from soundalike.errors import (
    AudioNotFound,
    AudioTooShort,
    EmptyAudio,
    InvalidSamples,
    ParameterError,
    UnreadableAudio,
    WeightsMissing,
)
from soundalike.types import FloatArray

RATE = 16_000
WriteWav = Callable[..., Path]


class VGGishStandIn:
    """Gives each patch's band means, twice: like VGGish in name and shape."""

    name = "vggish"
    description = "for tests"
    fingerprint = "0"

    def embed_patches(self, log_mel: FloatArray) -> FloatArray:
        """Answer with 128 numbers a patch."""
        levels = log_mel.mean(axis=1)
        return np.concatenate([levels, -levels], axis=1)


@pytest.fixture
def noise(rng: np.random.Generator) -> FloatArray:
    return rng.uniform(-0.5, 0.5, 5 * RATE + 5_000).astype(np.float32)


@pytest.fixture
def sound(noise: FloatArray, tmp_path: Path, write_wav: WriteWav) -> Path:
    return write_wav(tmp_path / "noise.wav", noise)


@pytest.fixture(autouse=True)
def _forget_what_was_loaded() -> None:
    """Each test has its own environment, so nothing may be kept from the one before."""
    clips._configured_encoder.cache_clear()
    clips._postprocessor.cache_clear()


def test_a_vector_a_second(sound: Path, noise: FloatArray):
    vectors = embed_audio(sound, encoder=Modulation())
    assert vectors.shape == (5, 128)
    assert vectors.dtype == np.float32
    for second, vector in enumerate(vectors):
        part = noise[second * RATE : second * RATE + 15_600]
        log_mel = log_mel_spectrogram(part[np.newaxis], sample_rate=RATE)
        np.testing.assert_allclose(vector, Modulation().embed_patches(log_mel)[0], atol=1e-4)


@pytest.mark.parametrize(
    ("n_samples", "hop_s", "count"),
    [
        (15_600, 1.0, 1),
        (31_599, 1.0, 1),
        (31_600, 1.0, 2),
        (30_959, 0.96, 1),
        (30_960, 0.96, 2),
        (160_000, 1.0, 10),
        (160_000, 0.96, 10),
        (480_000, 0.96, 31),
        (400, 1.0, 1),
    ],
)
def test_number_of_seconds(
    n_samples: int,
    hop_s: float,
    count: int,
    rng: np.random.Generator,
    tmp_path: Path,
    write_wav: WriteWav,
):
    path = write_wav(tmp_path / "a.wav", rng.uniform(-0.5, 0.5, n_samples))
    assert embed_audio(path, encoder=Modulation(), example_hop_s=hop_s).shape == (count, 128)


def test_more_seconds_than_a_batch_holds(rng: np.random.Generator, tmp_path: Path, write_wav: WriteWav):
    samples = rng.uniform(-0.5, 0.5, 70 * RATE).astype(np.float32)
    vectors = embed_audio(write_wav(tmp_path / "a.wav", samples), encoder=Modulation())
    assert vectors.shape == (70, 128)
    last = write_wav(tmp_path / "last.wav", samples[-RATE:])
    np.testing.assert_allclose(vectors[-1], embed_audio(last, encoder=Modulation())[0], atol=1e-4)


def test_a_short_file_is_repeated(rng: np.random.Generator, tmp_path: Path, write_wav: WriteWav):
    samples = rng.uniform(-0.5, 0.5, 5_200)
    short = write_wav(tmp_path / "short.wav", samples)
    three_times = write_wav(tmp_path / "long.wav", np.tile(samples, 3))
    np.testing.assert_allclose(
        embed_audio(short, encoder=Modulation()),
        embed_audio(three_times, encoder=Modulation()),
        atol=1e-5,
    )


@pytest.mark.parametrize(("pooling", "pool"), [("mean", np.mean), ("sum", np.sum)])
def test_pooling(pooling: str, pool: Callable[..., FloatArray], sound: Path):
    seconds = embed_audio(sound, encoder=Modulation())
    pooled = embed_audio(sound, pooling, encoder=Modulation())
    assert pooled.shape == (128,)
    assert pooled.dtype == np.float32
    expected = pool(seconds, axis=0)
    np.testing.assert_allclose(pooled, expected / np.linalg.norm(expected), atol=1e-5)


@pytest.mark.parametrize("pooling", ["max", "", "Mean"])
def test_unknown_pooling(pooling: str, sound: Path):
    with pytest.raises(ParameterError, match="choose mean or sum"):
        embed_audio(sound, pooling, encoder=Modulation())


def test_the_environment_chooses_the_encoder(sound: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SOUNDALIKE_MODEL", "logmel-modulation")
    np.testing.assert_array_equal(embed_audio(sound), embed_audio(sound, encoder=Modulation()))


def test_files_are_embedded_by_the_encoder_of_the_environment(
    sound: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SOUNDALIKE_MODEL", "logmel-modulation")
    (result,) = embed_files([str(sound)], per="second")
    np.testing.assert_array_equal(result.vectors, embed_audio(sound, encoder=Modulation()))


@pytest.mark.parametrize("paths", ["a.wav", Path("a.wav")], ids=str)
def test_a_single_path_is_no_list_of_them(paths: object):
    with pytest.raises(ParameterError, match="give a list of paths"):
        embed_files(paths, Modulation())  # type: ignore[arg-type]


def test_unknown_kinds_of_rows():
    with pytest.raises(ParameterError, match="choose one of window, second, file"):
        embed_files([], Modulation(), per="minute")  # type: ignore[arg-type]


def test_bytes_and_the_old_name_of_the_path(sound: Path):
    expected = embed_audio(sound, encoder=Modulation())
    for content in (sound.read_bytes(), bytearray(sound.read_bytes())):
        np.testing.assert_array_equal(embed_audio(content, encoder=Modulation()), expected)
    np.testing.assert_array_equal(embed_audio(path=sound, encoder=Modulation()), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "int32", "uint8"])
@pytest.mark.parametrize("channels", [None, 1, 2])
def test_an_array_is_embedded_like_its_file(
    dtype: str, channels: int | None, noise: FloatArray, tmp_path: Path
):
    kinds = {"float32": "FLOAT", "float64": "DOUBLE", "int16": "PCM_16", "int32": "PCM_32"}
    path = tmp_path / "a.wav"
    samples = noise if channels is None else np.stack([noise] * channels, axis=1)
    soundfile.write(path, samples, 44_100, subtype=kinds.get(dtype, "PCM_U8"))
    if dtype == "uint8":
        # libsndfile does not read them as they are.
        array = np.round(soundfile.read(path)[0] * 128 + 128).astype(np.uint8)
    else:
        array, _ = soundfile.read(path, dtype=dtype)
    found = embed_audio(array, sample_rate=44_100, encoder=Modulation())
    np.testing.assert_allclose(found, embed_audio(path, encoder=Modulation()), atol=1e-4)


@pytest.mark.parametrize(
    ("array", "rate", "error", "said"),
    [
        (np.zeros(RATE), None, ParameterError, "give sample_rate="),
        (np.zeros(RATE), 0, ParameterError, "sample_rate is 0; give a whole number"),
        (np.zeros(RATE), 44_100.5, ParameterError, "sample_rate is 44100.5"),
        (np.zeros(RATE), "16000", ParameterError, "sample_rate is '16000'"),
        (np.zeros(RATE), float("nan"), ParameterError, "sample_rate is nan"),
        (np.zeros(RATE, np.int64), RATE, ParameterError, "the samples are int64; give floats"),
        (np.zeros(RATE, np.complex64), RATE, ParameterError, "the samples are complex64"),
        (np.zeros((2, RATE)), RATE, ParameterError, r"shape \(2, 16000\).*transpose them"),
        (np.zeros((1, 2, RATE)), RATE, ParameterError, r"shape \(1, 2, 16000\); give \(n,\)"),
        (np.zeros(0), RATE, EmptyAudio, r"shape \(0,\)"),
        (np.zeros(300), RATE, AudioTooShort, "25 ms"),
        (np.full(RATE, np.nan), RATE, InvalidSamples, "NaN"),
        (np.full(RATE, 1e300), RATE, InvalidSamples, "infinite"),
        (b"not a sound", None, UnreadableAudio, "the upload of 11 bytes"),
        (b"RIFF", RATE, ParameterError, "sample_rate is for arrays"),
        ([0.0, 0.1], RATE, ParameterError, "sample_rate is for arrays"),
        ([0.0, 0.1], None, ParameterError, "the sound is of type list"),
    ],
)
def test_a_sound_that_is_refused(array: object, rate: object, error: type[Exception], said: str):
    with pytest.raises(error, match=said):
        embed_audio(array, sample_rate=rate, encoder=Modulation())  # type: ignore[arg-type]


def write_pca(folder: Path, rng: np.random.Generator) -> Path:
    folder.mkdir(parents=True)
    path = folder / "vggish_pca_params.npz"
    matrix = 0.1 * rng.standard_normal((128, 128))
    np.savez(path, pca_eigen_vectors=matrix, pca_means=np.zeros((128, 1)))
    return path


@pytest.fixture
def pca(clean_environ: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put made-up parameters where the published ones belong."""
    from soundalike.encoders.weights import WeightsFile, file_md5

    path = write_pca(clean_environ / "weights", rng)
    monkeypatch.setattr(clips, "PCA_PARAMS", WeightsFile(path.name, "http://localhost/", file_md5(path)))
    return path


def test_postprocess(sound: Path, pca: Path):
    raw = embed_audio(sound, encoder=VGGishStandIn())
    quantised = embed_audio(sound, postprocess=True, encoder=VGGishStandIn())
    assert quantised.dtype == np.uint8
    np.testing.assert_array_equal(quantised, Postprocessor(pca)(raw))


def test_postprocessed_seconds_are_pooled_without_overflow(sound: Path, pca: Path):
    quantised = embed_audio(sound, postprocess=True, encoder=VGGishStandIn()).astype(np.float64)
    assert quantised.sum(axis=0).max() > 255
    pooled = embed_audio(sound, "sum", postprocess=True, encoder=VGGishStandIn())
    expected = quantised.sum(axis=0)
    np.testing.assert_allclose(pooled, expected / np.linalg.norm(expected), atol=1e-5)


def test_postprocess_belongs_to_vggish(sound: Path):
    with pytest.raises(
        ParameterError, match="postprocess works with vggish only; the encoder is logmel-modulation"
    ):
        embed_audio(sound, postprocess=True, encoder=Modulation())


def test_postprocess_without_its_parameters(sound: Path):
    with pytest.raises(WeightsMissing, match=r"vggish_pca_params\.npz is not in"):
        embed_audio(sound, postprocess=True, encoder=VGGishStandIn())


@pytest.mark.parametrize("hop_s", [0.0, -1.0, 1e-6])
def test_hop_out_of_range(hop_s: float, sound: Path):
    with pytest.raises(ParameterError, match="must be above 0"):
        embed_audio(sound, encoder=Modulation(), example_hop_s=hop_s)


def test_errors_of_the_file(tmp_path: Path, write_wav: WriteWav):
    with pytest.raises(AudioNotFound):
        embed_audio(tmp_path / "gone.wav", encoder=Modulation())
    with pytest.raises(AudioTooShort):
        embed_audio(write_wav(tmp_path / "a.wav", np.zeros(399)), encoder=Modulation())


def test_files_are_embedded_in_order_and_a_broken_one_is_passed_over(sound: Path, tmp_path: Path):
    (tmp_path / "broken.wav").write_text("no sound")
    paths = [tmp_path / "broken.wav", sound, tmp_path / "gone.wav", sound]
    results = list(embed_files(paths, Modulation(), per="second"))
    assert [result.uri for result in results] == [str(path) for path in paths]
    assert [type(result.error) for result in results] == [
        UnreadableAudio,
        type(None),
        AudioNotFound,
        type(None),
    ]
    for result in (results[1], results[3]):
        np.testing.assert_array_equal(result.vectors, embed_audio(sound, encoder=Modulation()))
        assert [window.start_s for window in result.windows] == [0, 1, 2, 3, 4]
    assert results[0].vectors is None


def test_files_are_taken_as_results_are(sound: Path):
    taken = []

    def endless() -> Iterator[Path]:
        while True:
            taken.append(sound)
            yield sound

    results = embed_files(endless(), Modulation(), per="file", pooling="sum")
    pooled = embed_audio(sound, "sum", encoder=Modulation())
    for _ in range(3):
        np.testing.assert_array_equal(next(results).vectors, [pooled])
    assert len(taken) < 20 + 3 * (os.cpu_count() or 1)
    results.close()
