"""Do an executor's work with the packages of its image, and no others.

Usage: ``python within_image.py TARGET CLIPS DISTRIBUTION...``. Packages of other distributions cannot be
imported, whether they are installed or not. Prints the distributions that were imported, as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

OWN = "soundalike"


class OnlyThese(PathFinder):
    """An importer that refuses what lies in site-packages and belongs to other distributions.

    Parameters
    ----------
    owners : mapping of str to sequence of str
        The distributions that hold each top-level package.
    allowed : set of str
        Names of distributions, normalised.
    """

    def __init__(self, owners: Mapping[str, Sequence[str]], allowed: set[str]) -> None:
        self._owners, self._allowed = owners, allowed

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # type: ignore[override]
        """Return a module that is not in site-packages, for a name that is refused there."""
        owners = self._owners.get(name)
        if not owners or self._allowed & {owner.lower().replace("_", "-") for owner in owners}:
            return None
        # setuptools brings copies of some packages along.
        elsewhere = [entry for entry in sys.path if Path(entry).name != "site-packages"]
        spec = PathFinder.find_spec(name, elsewhere)
        if spec is None:
            raise ModuleNotFoundError(f"{name} is not in this image", name=name)
        return spec


def segment(clips: Path) -> None:
    from docarray import DocList

    from executors.audio_segmenter.executor import AudioSegmenter
    from executors.messages.documents import Clip
    from soundalike.audio.loading import load_audio

    with tempfile.TemporaryDirectory() as folder:
        executor = AudioSegmenter(spool_dir=folder)
        files = sorted(path for path in clips.glob("*/*_[1-4].*"))
        # One file in each format: libsndfile reads all but M4A, PyAV that one.
        chosen = {path.suffix: path for path in files}
        assert ".m4a" in chosen
        docs = executor.segment(docs=DocList[Clip](Clip(uri=str(path)) for path in chosen.values()))
    assert [len(doc.chunks) for doc in docs] == [4] * len(chosen), [doc.error for doc in docs]
    # The executor decodes in processes of its own, which are not watched here.
    assert all(load_audio(path).duration_s > 9.9 for path in chosen.values())


def embed(clips: Path) -> None:
    import numpy as np
    import onnx
    from docarray import DocList

    from executors.messages.documents import SegmentedClip, WindowDoc
    from executors.vggish_encoder.executor import VGGishEncoder
    from soundalike.encoders.runtime import open_session

    samples = np.sin(np.arange(64_000, dtype=np.float32))
    chunks = DocList[WindowDoc]([WindowDoc(index=0, start_s=0.0, end_s=4.0)])
    clip = SegmentedClip(samples=samples, window_s=4.0, stride_s=2.0, chunks=chunks)
    (doc,) = VGGishEncoder(model="logmel-modulation").encode(docs=DocList[SegmentedClip]([clip]))
    assert doc.chunks[0].embedding.shape == (512,)
    helper = onnx.helper
    given, wanted = (
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 4])
        for name in ("given", "wanted")
    )
    graph = helper.make_graph(
        [helper.make_node("Relu", ["given"], ["wanted"])], "tiny", [given], [wanted]
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.onnx"
        onnx.save(helper.make_model(graph, ir_version=8), str(path))
        assert open_session(path, "given", "wanted")(np.ones((1, 4), np.float32)).shape == (1, 4)
        embed_with_vggish(Path(folder))


def embed_with_vggish(folder: Path) -> None:
    """Use a checkpoint that comes with its converted file; another one is refused with advice."""
    import numpy as np
    import onnx

    from soundalike.encoders.vggish import conversion, onnx_graph
    from soundalike.encoders.vggish.layout import variable_shapes
    from soundalike.encoders.vggish.network import VGGishNetwork
    from soundalike.errors import ServiceError

    checkpoint = folder / "vggish_model.ckpt"
    checkpoint.write_bytes(b"what it says does not matter here")
    refused = ""
    try:
        VGGishNetwork(checkpoint)
    except ServiceError as exc:
        refused = exc.message
    assert "TensorFlow is not installed here" in refused
    values = {name: np.full(shape, 1e-3, np.float32) for name, shape in variable_shapes().items()}
    sha256 = conversion.file_sha256(checkpoint)
    onnx.save(onnx_graph.build(values), str(folder / "converted" / f"{sha256[:32]}.onnx"))
    vectors = VGGishNetwork(checkpoint).embed_patches(np.ones((2, 96, 64), np.float32))
    assert vectors.shape == (2, 128)


def index(clips: Path) -> None:
    from docarray import DocList

    from executors.messages.documents import Status
    from executors.timescale_indexer.executor import TimescaleIndexer
    from soundalike.errors import StoreUnavailable

    learn()
    executor = TimescaleIndexer()
    try:
        executor.status(docs=DocList[Status]([Status()]))
    except StoreUnavailable:
        # Nobody listens there: the driver has been as far as it can get.
        return
    raise AssertionError("a server answered")


def learn() -> None:
    """Fit a model of what is normal, as the indexer does for `/normal_learn`."""
    import numpy as np

    from soundalike.anomalies.model import fit
    from soundalike.anomalies.results import NormalRecording
    from soundalike.types import IndexSpec

    rows = np.random.default_rng(1).normal(size=(9, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    spans = [(0.0, 4.0), (2.0, 6.0), (4.0, 8.0)]
    recordings = [
        NormalRecording(str(number), f"/{number}.wav", spans, rows[3 * number :][:3])
        for number in range(3)
    ]
    fit(recordings, IndexSpec("tiny", "0", 8, 4.0, 2.0), method="mahalanobis")


def rank(clips: Path) -> None:
    from docarray import DocList

    from executors.max_score_ranker.executor import MaxScoreRanker
    from executors.messages.documents import SearchHits, WindowDoc
    from executors.messages.hits import write_hits
    from executors.messages.parameters import SearchParameters
    from soundalike.store import SearchResult
    from soundalike.types import Hit, Recording

    chunks = DocList[WindowDoc]([WindowDoc(index=0, start_s=0.0, end_s=4.0)])
    doc = SearchHits(chunks=chunks)
    found = SearchResult([Hit(0, "r", 0, 0.0, 4.0, 0.5)], {"r": Recording("r", "/r.wav", 4.0, None, {})})
    write_hits(doc, {"default": found})
    (found,) = MaxScoreRanker().rank(docs=DocList[SearchHits]([doc]), parameters=SearchParameters())
    assert [match.uri for match in found.matches] == ["/r.wav"]


def serve(clips: Path) -> None:
    from executors.gateway.gateway import SoundalikeGateway, fastapi_offline
    from soundalike.audio.pictures import spectrogram_png

    assert SoundalikeGateway
    # libsndfile reads MP3, PyAV M4A.
    chosen = {path.suffix: path for path in sorted(clips.glob("*/*_[1-4].*"))}
    assert {".m4a", ".mp3"} <= chosen.keys()
    assert all(spectrogram_png(path).startswith(b"\x89PNG") for path in chosen.values())
    assert (Path(fastapi_offline.__file__).parent / "static" / "swagger-ui-bundle.js").is_file()


WORK: dict[str, Callable[[Path], None]] = {
    "segmenter": segment,
    "encoder": embed,
    "indexer": index,
    "ranker": rank,
    "gateway": serve,
}


def main() -> None:
    """Work, and tell what that took."""
    target, clips, *distributions = sys.argv[1:]
    owners = packages_distributions()
    sys.meta_path.insert(0, OnlyThese(owners, {OWN, *distributions}))
    WORK[target](Path(clips))
    imported = {name for module in sys.modules for name in owners.get(module, ())}
    sys.stdout.write(json.dumps(sorted(imported)))


if __name__ == "__main__":
    main()
