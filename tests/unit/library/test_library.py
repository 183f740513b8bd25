"""The library indexes, searches and analyses as the command line does."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import soundfile

from soundalike import Library, Query
from soundalike.errors import (
    AudioNotFound,
    ConfigError,
    IndexEmpty,
    NormalModelNotFound,
    ParameterError,
    RecordingNotFound,
    ServiceError,
)
from soundalike.store import MemoryStore
from tests.fixtures.films import write_mute_film
from tests.fixtures.web_folder import serving
from tests.unit.library.conftest import RATE, rising

if TYPE_CHECKING:
    from tests.fixtures.pretender import Pretender


def names(found: Any) -> list[str]:
    """Return the names of the files of matches, events or recordings."""
    return [Path(getattr(one, "recording", one).uri).stem for one in found]


def test_files_are_indexed_and_failures_are_reported(
    in_memory: None, sounds: Path, tmp_path: Path, capsys: Any
):
    seen: list[tuple[int, int]] = []
    with Library(tmp_path / "new") as library:
        first = library.index(sounds, on_progress=lambda *at: seen.append(at))
        again = library.index([sounds / "deep", str(sounds / "high" / "*.wav")])
    assert first.counts == {"added": 8, "failed": 1}
    assert [Path(one.uri).name for one in first.failed] == ["broken.wav"]
    assert list(first.left_out) == [str(sounds / "notes.txt")]
    assert seen == [(number, 9) for number in range(1, 10)]
    assert again.counts == {"unchanged": 8}
    # A library prints nothing.
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("labels", "stored"),
    [
        (None, {"deep0": "deep", "deep1": "deep"}),
        ("owl", {"deep0": "owl", "deep1": "owl"}),
        ({"deep0.wav": "owl"}, {"deep0": "owl", "deep1": "deep"}),
        ({".": "bat", "deep1.wav": "owl"}, {"deep0": "bat", "deep1": "owl"}),
    ],
)
def test_labels_are_of_all_files_or_of_paths(
    in_memory: None, copies: Path, monkeypatch: pytest.MonkeyPatch, labels: Any, stored: dict[str, str]
):
    monkeypatch.chdir(copies)
    began = datetime(2025, 5, 1, 6, tzinfo=UTC)
    with Library() as library:
        library.index(
            ["deep0.wav", "deep1.wav"], labels=labels, tags={"site": "pond"}, recorded_at=began
        )
        found = library.recordings(where="site=pond")
    assert {Path(one.uri).stem: one.label for one in found} == stored
    assert [one.recorded_at for one in found] == [began, began]


def test_urls_are_indexed(in_memory: None, copies: Path, tmp_path: Path):
    with serving(copies) as server, Library(tmp_path / "new") as library:
        deep = sorted(path.name for path in copies.iterdir())
        labels = {server.url: "owl", f"{server.url}{deep[0]}": "frog"}
        first = library.index([server.url, copies.as_uri()], labels=labels)
        again = library.index(server.url, labels=labels)
        below = library.recordings(under=server.url)
    assert first.counts["linked"] + first.counts["added"] == 2 * len(below)
    assert set(again.counts) <= {"unchanged"}
    assert [one.label for one in below] == ["frog", *["owl"] * (len(below) - 1)]
    assert not list((tmp_path / "new" / "spool").rglob("*.wav"))
    with pytest.raises(ParameterError, match="credential"):
        library.index("https://ann:hunter2@host/a/")


def test_a_table_beside_the_files_overrides_labels(in_memory: None, copies: Path):
    (copies / "metadata.csv").write_text("file_name,label,depth_m\ndeep0.wav,owl,2\n")
    with Library() as library:
        library.index(copies, labels="bat")
        (owl,) = library.recordings(labels="owl")
        assert (Path(owl.uri).stem, owl.tags) == ("deep0", {"depth_m": 2})
        assert len(library.recordings(labels=["bat", "owl"])) == 4


@pytest.mark.parametrize(
    ("paths", "options", "error"),
    [
        ("gone", {}, AudioNotFound),
        ("", {}, AudioNotFound),
        ([], {}, AudioNotFound),
        (".", {"labels": {"gone.wav": "owl"}}, ParameterError),
        (".", {"labels": ["owl"]}, ParameterError),
        (".", {"labels": {".": 3}}, ParameterError),
        (".", {"tags": ["owl"]}, ParameterError),
        (".", {"recorded_at": "noon"}, ParameterError),
        (".", {"recorded_at": 3}, ParameterError),
        (None, {}, ParameterError),
        ([None], {}, ParameterError),
    ],
)
def test_bad_paths_and_labels_are_refused(
    in_memory: None,
    copies: Path,
    monkeypatch: pytest.MonkeyPatch,
    paths: Any,
    options: Any,
    error: type[Exception],
):
    monkeypatch.chdir(copies)
    with Library() as library, pytest.raises(error):
        library.index(paths, **options)


def test_a_film_without_sound_is_skipped(in_memory: None, copies: Path):
    write_mute_film(copies / "film.mp4")
    with Library() as library:
        assert library.index(copies).counts == {"added": 4, "skipped": 1}
        assert library.index(copies / "film.mp4").counts == {"failed": 1}


def test_a_folder_without_sounds_gives_an_empty_summary(in_memory: None, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("no sound")
    with Library() as library:
        found = library.index(tmp_path)
        assert (len(found), repr(found)) == (0, "0 files; no sound was found")
        for ask in (library.vectors, library.motifs, library.duplicates):
            with pytest.raises(IndexEmpty):
                ask()


def test_queries_are_paths_arrays_bytes_and_results(library: Library, sounds: Path):
    path = sounds / "deep" / "deep0.wav"
    expected = names(library.search(path, 3))
    assert expected[0] == "deep0"
    assert set(expected) <= {"deep0", "deep1", "deep2", "deep3"}
    samples, rate = soundfile.read(path)
    match = library.search(path, 1)[0]
    (recording,) = [one for one in library.recordings() if Path(one.uri) == path]
    queries = [
        str(path),
        path.read_bytes(),
        (samples, rate),
        (samples.astype(np.float32), float(rate)),
        recording,
        recording.recording_id,
        match,
        Query(path),
    ]
    assert [names(library.search(query, 3)) for query in queries] == [expected] * len(queries)


@pytest.mark.parametrize(
    ("query", "part", "said"),
    [
        (np.zeros(100), {}, "sample rate"),
        (3, {}, "type int"),
        ((np.zeros(100), None), {}, "sample rate"),
        (Query(vector=[1.0]), {"start_s": 1.0}, "no time axis"),
        ("match", {"start_s": 1.0}, "part already"),
        (np.zeros((3, 2)), {"end_s": 0.5}, "sample rate"),
        (([[1.0], [1.0, 2.0]], RATE), {}, "not an array"),
        ((["a"], RATE), {}, "samples are"),
    ],
)
def test_other_queries_are_refused(library: Library, sounds: Path, query: Any, part: Any, said: str):
    if isinstance(query, str):
        query = library.search(sounds / "deep" / "deep0.wav", 1)[0]
    with pytest.raises(ParameterError, match=said):
        library.search(query, **part)


def test_a_part_of_a_sound_is_a_query(library: Library, sounds: Path):
    both = np.concatenate((rising(200, 400), rising(2000, 4000)))
    assert names(library.search((both, RATE), 1, start_s=4.0))[0].startswith("high")
    assert names(library.search((both, RATE), 1, end_s=4.0))[0].startswith("deep")


def test_examples_are_paths_and_results(library: Library, sounds: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(sounds)
    recordings = {Path(one.uri).stem: one for one in library.recordings()}
    found = library.search("deep/deep0.wav", 8, like="high/high0.wav")
    assert {name[:4] for name in names(found)[:6]} == {"deep", "high"}
    for example in (recordings["high0"], library.search("high/high0.wav", 1)[0], "high/high0.wav:0-4"):
        again = library.search("deep/deep0.wav", 8, like=[example], unlike=["high/high3.wav"])
        assert len(again) == 8
        assert names(again)[-1].startswith("high")
    with pytest.raises(ParameterError, match="like contains a int"):
        library.search("deep/deep0.wav", like=[3])  # type: ignore[list-item]
    with pytest.raises(ParameterError, match="give at most 100"):
        library.search("deep/deep0.wav", unlike=["high/high3.wav"] * 101)
    with pytest.raises(RecordingNotFound):
        library.search("deep/deep0.wav", like="gone.wav")


def test_filters_are_those_of_the_command_line(library: Library, sounds: Path):
    path = sounds / "deep" / "deep0.wav"
    assert {name[:4] for name in names(library.search(path, labels="high"))} == {"high"}
    assert len(library.search(path, labels=("deep", "high"))) == 8
    assert len(library.search(path, under=sounds / "high")) == 4
    assert len(library.search(path, since=datetime(2100, 1, 1, tzinfo=UTC))) == 0
    assert len(library.search(path, since=date(2100, 1, 1), labels=None, like=None)) == 0
    assert len(library.search(path, np.int64(2))) == 2
    with pytest.raises(TypeError, match="integer"):
        library.search(path, 2.0)  # type: ignore[arg-type]
    assert len(library.search(path, min_score=0.999, exclude_self=True)) == 0
    assert len(library.search(path, group_by="label")) == 2
    with pytest.raises(TypeError, match="unknown argument 'label'; filters are labels"):
        library.search(path, label="high")  # type: ignore[call-arg]
    with pytest.raises(ParameterError):
        library.search(path, where="depth")
    with pytest.raises(ParameterError, match="not selected by time"):
        library.recordings(since="2025-01-01")


def test_events_have_begin_and_end(in_memory: None, tmp_path: Path):
    samples = np.random.default_rng(9).normal(0, 0.003, 20 * RATE).astype(np.float32)
    tone = rising(1000, 2000, 3.0)
    for at in (4, 12):
        samples[at * RATE : at * RATE + len(tone)] += tone
    soundfile.write(tmp_path / "night.wav", samples, RATE)
    with Library() as library:
        library.index(tmp_path)
        found = library.events((tone, RATE), order="time")
        assert [(round(one.start_s), round(one.end_s)) for one in found] == [(4, 7), (12, 15)]
        only = library.events((tone, RATE), recording=found[0].recording, reread_s=0, limit=1)
        assert names(only) == ["night"]
        # An event is a query, too.
        assert names(library.search(found[0])) == ["night"]
        assert len(library.events((tone, RATE), labels="other")) == 0
        with pytest.raises(ParameterError, match="min_score is 2"):
            library.events((tone, RATE), min_score=2)


def test_vectors_are_those_of_the_index(library: Library, sounds: Path):
    path = sounds / "deep" / "deep0.wav"
    stored = library.vectors(labels="deep")
    embedded = library.embed(path)
    assert stored.values.shape == (4, 512)
    assert [Path(part.path).stem for part in stored] == [f"deep{n}" for n in range(4)]
    assert np.allclose(stored.values[0], embedded.values[0], atol=1e-3)
    assert np.allclose(library.embed(path.read_bytes()).values, embedded.values)
    assert stored[1:3].values.tolist() == stored.values[1:3].tolist()
    means = library.vectors().means()
    assert means.values.shape == (8, 512)
    assert np.allclose(np.linalg.norm(means.values, axis=1), 1)
    assert library.vectors(labels="none").means().values.shape == (0, 512)


def test_normal_sounds_are_learned_from_files_or_the_collection(library: Library, sounds: Path):
    learned = library.learn_normal("deep", labels="deep")
    assert (learned.outcome, len(learned), learned.failed) == ("created", 4, ())
    again = library.learn_normal("deep", [sounds / "deep", sounds / "broken.wav"])
    assert (again.outcome, len(again.failed)) == ("unchanged", 1)
    scored = library.score_normal("deep", [sounds / "high" / "high0.wav", sounds / "broken.wav"])
    assert [row["verdict"] for row in scored.rows()] == ["anomalous", "failed"]
    assert len(scored.anomalous) == 1
    with pytest.raises(NormalModelNotFound):
        library.score_normal("gone", sounds / "high")
    with pytest.raises(ParameterError, match="leave out paths or them"):
        library.learn_normal("deep", sounds / "deep", labels="deep")
    with pytest.raises(AudioNotFound):
        library.score_normal("deep", sounds / "gone")


def test_copies_and_motifs_are_found(in_memory: None, copies: Path):
    (copies / "copy.wav").write_bytes((copies / "deep0.wav").read_bytes())
    with Library() as library:
        library.index(copies)
        (group,) = library.duplicates(under=copies)
        assert [Path(member.recording.uri).name for member in group] == ["copy.wav", "deep0.wav"]
        assert len(library.duplicates(under=copies / "deep0.wav")) == 0
        with pytest.raises(RecordingNotFound, match="check the path"):
            library.duplicates(under=copies / "gone")
        assert len(library.motifs(reread_s=0)) == 0
        with pytest.raises(ParameterError):
            library.motifs(min_count=1)


@pytest.mark.parametrize(
    ("place", "options", "error", "said"),
    [
        ("", {}, ParameterError, "give a folder"),
        ("ftp://sounds.example", {}, ParameterError, "'ftp'"),
        ("http://", {}, ParameterError, "give an address"),
        ("postgresql://localhost/x", {"model": "gone"}, ConfigError, "model is 'gone'"),
        ("http://127.0.0.1:1", {"model": "vggish"}, ParameterError, "own model"),
        (None, {"window_s": 0.0}, ParameterError, "window_size"),
        (None, {"stride_s": -1.0}, ParameterError, "stride"),
        (None, {"collection": "no/name"}, ParameterError, "no/name"),
    ],
)
def test_bad_places_are_refused(place: Any, options: Any, error: type[Exception], said: str):
    with pytest.raises(error, match=said):
        Library(place, **options)


def test_a_folder_of_other_files_is_not_taken_for_an_index(sounds: Path, tmp_path: Path):
    with pytest.raises(ParameterError, match=r"contains other files, like 'broken.wav'"):
        Library(sounds)
    with pytest.raises(ParameterError, match="is a file"):
        Library(sounds / "broken.wav")
    (tmp_path / ".hidden").touch()
    (tmp_path / "weights").mkdir()
    assert repr(Library(tmp_path, "birds")) == f"Library({str(tmp_path)!r}, collection='birds')"


def test_models_are_those_of_the_user_unless_the_folder_has_its_own(tmp_path: Path, clean_environ: Path):
    assert Library(tmp_path / "new")._place.settings.weights_dir == clean_environ / "weights"
    (tmp_path / "own" / "weights").mkdir(parents=True)
    settings = Library(tmp_path / "own")._place.settings
    assert (settings.weights_dir, settings.data_dir) == (tmp_path / "own/weights", tmp_path / "own")


def test_a_password_is_not_shown():
    assert repr(Library("postgresql://me:secret@db/x")) == "Library(collection='default')"


def test_a_service_does_not_hand_out_vectors(sounds: Path, monkeypatch: pytest.MonkeyPatch):
    service = Library("http://127.0.0.1:1")
    with pytest.raises(ServiceError):
        service.search(sounds / "deep" / "deep0.wav")
    for ask in (service.recordings, service.duplicates, service.motifs):
        with pytest.raises(ServiceError):
            ask()
    for refused in (service.vectors, lambda: service.learn_normal("machine")):
        with pytest.raises(ParameterError, match="open a folder or a database"):
            refused()
    monkeypatch.setenv("SOUNDALIKE_SERVER", "http://127.0.0.1:1")
    with pytest.raises(ServiceError):
        Library().search(sounds / "deep" / "deep0.wav")


def test_the_encoder_of_the_collection_is_taken(
    monkeypatch: pytest.MonkeyPatch, copies: Path, clean_environ: Path
):
    store = MemoryStore()
    monkeypatch.setattr("soundalike.library.opening.open_store", lambda settings: store)
    loaded: list[str] = []

    def load(model: str, *rest: Any, **more: Any) -> Any:
        from soundalike.encoders.modulation import Modulation

        loaded.append(model)
        return Modulation()

    monkeypatch.setattr("soundalike.library.opening.load_encoder", load)
    Library(window_s=2.0, stride_s=1.0).index(copies)
    other = Library()
    assert other.search(copies / "deep0.wav", 1)[0].end_s == 2.0
    assert other.search(copies / "deep1.wav", 1)[0].rank == 1
    assert loaded == ["auto", "logmel-modulation"]


def test_importing_the_library_imports_no_statistics_and_no_pictures():
    heavy = ("sklearn", "matplotlib", "pandas", "scipy.stats", "scipy.ndimage", "tensorflow", "jina")
    code = f"from soundalike import Library; import sys; print([n for n in {heavy} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


ROW = {
    "rank": 1,
    "score": 0.9,
    "false_alarm_rate": None,
    "start_s": 0.0,
    "end_s": 4.0,
    "query_start_s": 0.0,
    "query_end_s": 4.0,
    "n_hits": 1,
    "collection": "birds",
    "recording_id": "00000000-0000-0000-0000-000000000001",
    "uri": "/srv/owl.wav",
    "duration_s": 4.0,
    "label": "owl",
    "tags": {},
    "recorded_at": None,
    "recorded_at_source": None,
}


def test_a_service_is_asked_for_matches_and_events(pretender: Pretender, sounds: Path):
    answer = {"recording_id": None, "warnings": ["w"], "uri": "/srv/q.wav", "encoder": "e"}
    service = Library(pretender.url, collection="birds")
    for content in ({"matches": [ROW]}, {"matches": [ROW]}, {"matches": []}):
        pretender.will_answer({**answer, **content})
    pretender.will_answer({**answer, "events": [ROW], "is_complete": True})
    found = service.search(sounds / "deep" / "deep0.wav", 3, like="/srv/owl.wav:0-4", labels="owl")
    assert (names(found), found.warnings) == (["owl"], ("w",))
    assert names(service.search(found[0])) == ["owl"]
    assert len(service.search((rising(200, 400), RATE))) == 0
    assert names(service.events(Query(text="an owl"))) == ["owl"]
    bodies = [body for _, _, body in pretender.asked]
    assert b"/srv/owl.wav:0-4" in bodies[0]
    assert (sounds / "deep" / "deep0.wav").read_bytes() in bodies[0]
    sent = json.loads(bodies[1])
    assert (sent["recording_id"], sent["start_s"], sent["end_s"]) == (ROW["recording_id"], 0.0, 4.0)
    assert sent["collection"] == "birds"
    assert b"WAVE" in bodies[2]
    assert json.loads(bodies[3])["text"] == "an owl"


def test_all_pages_of_a_service_are_listed(pretender: Pretender):
    pretender.will_answer({"recordings": [ROW], "next": "/srv/owl.wav"})
    pretender.will_answer({"recordings": [{**ROW, "uri": "/srv/owl2.wav"}], "next": None})
    library = Library(pretender.url, collection="birds")
    found = library.recordings(labels=["owl", "jay"], where="depth_m>=1.5")
    assert [one.uri for one in found] == ["/srv/owl.wav", "/srv/owl2.wav"]
    first, second = (parse_qs(urlsplit(asked.split()[1]).query) for asked, _, _ in pretender.asked)
    assert (first["labels"], first["where"], first["collection"]) == (
        ["owl", "jay"],
        ['"depth_m" >= 1.5'],
        ["birds"],
    )
    assert second["after"] == ["/srv/owl.wav"]
    with pytest.raises(ParameterError, match="give where"):
        library.recordings(tags={"site": "pond"})


def test_files_are_sent_to_a_service(pretender: Pretender, copies: Path):
    counts = dict.fromkeys(("added", "replaced", "unchanged", "pruned", "failed", "done"), 0)
    job = {"id": "j", "state": "done", "total": 1, "finished_at": "2025-05-01T00:00:00Z"}
    pretender.will_answer({**job, **counts, "unsearchable": 0, "errors": [], "warnings": []}, 202)
    result = {**dict.fromkeys(("recording_id", "error", "error_code")), "n_windows": 1}
    result |= {"uri": "/srv/uploads/1.wav", "outcome": "added", "duration_s": 4.0, "warnings": []}
    pretender.will_answer({"files": [result]})
    service = Library(pretender.url)
    found = service.index(copies / "deep0.wav", labels="owl")
    assert found.counts == {"added": 1}
    assert found[0].uri == str(copies / "deep0.wav")
    assert b"owl" in pretender.asked[0][2]
    with pytest.raises(ParameterError, match="checksum"):
        service.index(copies, checksum=True)
