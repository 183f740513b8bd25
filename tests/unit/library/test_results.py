"""Results show themselves as tables, pictures and players."""

from __future__ import annotations

import io
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import soundfile
from PIL import Image

from soundalike import Library, Query
from soundalike.display import player
from soundalike.display.pictures import plot_points, plot_scores
from soundalike.display.player import Player
from soundalike.display.sound import Sound, shown_path
from soundalike.errors import AudioNotFound, ParameterError
from soundalike.library.results import Duplicates, Matches, Motifs, Recordings
from soundalike.repeats.motifs import Motif
from soundalike.types import Match, Recording
from tests.unit.library.conftest import RATE

if TYPE_CHECKING:
    from tests.fixtures.pretender import Pretender


@pytest.fixture
def found(library: Library, sounds: Path) -> Matches:
    return library.search(sounds / "deep" / "deep0.wav", 3)


def stored(uri: str, **more: Any) -> Match:
    """Return a match that was not searched for."""
    recording = Recording("00000000-0000-0000-0000-000000000001", uri, 4.0, **more)
    return Match(1, recording, 0.5, 0.0, 4.0, None, None, 1, "test")


def is_picture(picture: Any) -> bool:
    """Tell whether a picture is drawn, in more than one colour."""
    image = Image.open(io.BytesIO(picture._repr_png_()))
    return image.size[0] > 300 and len(set(image.convert("L").tobytes())) > 20


def test_a_table_has_all_rows_and_columns(library: Library, found: Matches):
    frame = found.to_pandas()
    assert list(frame.columns) == list(Matches.columns)
    assert frame["score"].tolist() == found.scores
    assert frame["rank"].tolist() == [1, 2, 3]
    assert library.recordings().to_pandas()["label"].value_counts().to_dict() == {"deep": 4, "high": 4}
    assert library.vectors().to_pandas()["vector"][0].shape == (512,)
    assert library.search(Query(vector=np.ones(512)), min_score=1.0).to_pandas().shape == (0, 17)


def test_every_kind_of_row_has_its_columns(library: Library, sounds: Path):
    scored = library.learn_normal("kinds", sounds / "deep"), library.score_normal("kinds", sounds)
    for results in (*scored, library.recordings(), library.vectors(), library.index(sounds)):
        assert all(set(row) >= set(results.columns) for row in results.rows())
        assert set(results.shown) <= {*results.columns, "at"}
        assert len(results.to_pandas()) == sum(1 for _ in results.rows())


def test_results_are_sequences(found: Matches):
    assert [match.rank for match in found] == [1, 2, 3]
    assert found[-1].rank == 3
    assert isinstance(found[1:], Matches)
    assert [match.rank for match in found[1:]] == [2, 3]
    assert found[1:].query == found.query
    with pytest.raises(IndexError):
        found[3]


def test_text_shows_the_first_rows(found: Matches, sounds: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(sounds)
    assert repr(found).splitlines()[0] == "3 matches for deep/deep0.wav"
    assert re.search(r"^0  1\.000  +unknown +deep/deep0.wav +deep +0\.0-4\.0 s$", repr(found), re.M)
    many = Recordings([stored(f"/far/{number}.wav").recording for number in range(25)])
    assert repr(many).splitlines()[-2:] == ["19  /far/19.wav  4.0", "... 5 more"]
    # Columns without a value are left out.
    assert "label" not in repr(many)
    assert repr(many[:0]) == "0 recordings"
    assert repr(many[:1]).startswith("1 recording\n")


def test_paths_are_relative_unless_they_are_far_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b" / "c")
    assert shown_path(str(tmp_path / "a" / "x.wav")) == "../../x.wav"
    assert shown_path(str(tmp_path / "x.wav")) == str(tmp_path / "x.wav")
    assert shown_path("upload:1") == "upload:1"


def test_html_escapes_names():
    bad = "/a/<script>alert(1)</script>\x1b[31m&.wav"
    found = Matches([stored(bad, label="<b>")], Query(vector=[1.0]), "<i>", ["<u>"])
    html = found._repr_html_()
    assert "<script" not in html
    assert not any(tag in html for tag in ("<b>", "<i>", "<u>", "\x1b"))
    assert "&lt;script&gt;" in html
    assert "\x1b" not in repr(found)
    title = Sound(b"", bad, 0.0, 1.0).title
    assert "\x1b" not in title


def test_a_missing_package_says_how_to_install_it(found: Matches, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ParameterError, match=r"pandas; install it with: pip install 'soundalike\[note"):
        found.to_pandas()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "soundalike.display.pictures")
    with pytest.raises(ParameterError, match="matplotlib; install it with"):
        found.plot()


def test_sounds_and_scores_are_drawn(library: Library, found: Matches, sounds: Path):
    library.learn_normal("drawn", sounds / "deep")
    scored = library.score_normal("drawn", [sounds / "deep", sounds / "high"])
    pictures = [
        found.plot(1),
        found.compare(0),
        found.histogram(0.5),
        library.recordings().plot(),
        library.learn_normal("drawn", sounds / "deep").histogram(),
        scored.plot(4),
        scored.compare(4),
        scored.histogram(["OK"] * 4 + ["KO"] * 4),
        plot_points(np.eye(2), ["a", "$b_"]),
        plot_scores([]),
    ]
    assert [number for number, one in enumerate(pictures) if not is_picture(one)] == []
    (axes, _) = found.plot(1, margin_s=0.0).axes
    assert axes.get_xlim() == (0.0, 4.0)
    assert len(axes.patches) == 1
    legend = pictures[7].axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()][-1].startswith("threshold ")
    with pytest.raises(ParameterError, match="3 groups for 8 files"):
        scored.histogram(["OK"] * 3)


def test_pictures_of_other_things_are_refused(library: Library, sounds: Path, tmp_path: Path):
    found = library.search(Query(vector=np.ones(512)))
    with pytest.raises(ParameterError, match="names no part of the query"):
        found.compare()
    with pytest.raises(ParameterError, match="margins are -1"):
        found.plot(margin_s=-1)
    library.learn_normal("refused", sounds / "deep")
    with pytest.raises(ParameterError, match=r"broken\.wav has no score"):
        library.score_normal("refused", sounds / "broken.wav").plot()
    gone = Matches([stored(str(tmp_path / "gone.wav"))], Query(vector=[1.0]), "")
    for show in (gone.plot, gone.play):
        with pytest.raises(AudioNotFound):
            show()
    long = replace(stored(str(sounds / "deep" / "deep0.wav")), end_s=200.0)
    with pytest.raises(ParameterError, match="longer than 120 s"):
        Matches([long], Query(vector=[1.0]), "").plot()


def test_a_player_contains_the_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "<long>.wav"
    soundfile.write(path, np.random.default_rng(1).normal(0, 0.1, 50 * RATE), RATE)
    shown = Player(Sound(path, path.name, 1.0, 3.0))
    assert soundfile.info(io.BytesIO(shown.content)).duration == pytest.approx(2.0, abs=0.1)
    assert f'src="data:{shown.media_type};base64,' in shown._repr_html_()
    assert "<long>" not in shown._repr_html_()
    longest = Player(Sound(path, path.name, 10.0, 50.0))
    assert soundfile.info(io.BytesIO(longest.content)).duration == pytest.approx(30.0, abs=0.2)
    assert len(longest.content) < 500_000
    assert "10.0-40.0 s" in repr(longest)
    monkeypatch.setattr(player.soundfile, "available_formats", lambda: {"WAV": ""})
    assert Player(Sound(path, path.name, 1.0, 3.0)).media_type == "audio/wav"


def test_the_query_of_an_array_is_shown(library: Library, sounds: Path):
    found = library.search(soundfile.read(sounds / "deep" / "deep1.wav"), 1)
    assert repr(found).splitlines()[0] == "1 match"
    assert found.query_sound(0).name == "query"
    assert is_picture(found.compare())


def test_copies_and_motifs_are_shown(in_memory: None, copies: Path):
    (copies / "copy.wav").write_bytes((copies / "deep0.wav").read_bytes())
    with Library() as library:
        library.index(copies)
        found = library.duplicates()
        assert repr(found).startswith("1 group of copies, 2 files\n")
        assert found.to_pandas()["suggestion"].tolist() == ["keep", "remove"]
        assert is_picture(found.compare())
        events = library.events(copies / "deep0.wav", min_score=-1, reread_s=0)
        motifs = Motifs([Motif(list(events), events[0], {"deep": 2})])
        assert motifs.events()[0] == events[0]
        assert "deep (2)" in repr(motifs)
        assert is_picture(motifs.plot())
        assert motifs.play().content
        # A motif is a query, and so is a file of a group of copies.
        assert len(library.search(motifs[0], 2)) == 2
        assert len(library.search(found[0][1], 2)) == 2
    assert Duplicates([]).to_pandas().empty


def test_a_map_is_shown_and_saved(library: Library, tmp_path: Path):
    found = library.map(method="pca", min_cluster=3)
    assert repr(found).startswith("8 recordings by pca, 2 clusters\n")
    frame = found.to_pandas()
    assert frame.groupby("label")["cluster"].nunique().to_dict() == {"deep": 1, "high": 1}
    assert frame[["x", "y"]].abs().max().max() <= 1
    assert is_picture(found.plot())
    assert is_picture(found.plot("cluster"))
    assert found.play(3).content
    assert "deep0.wav" in found.save(tmp_path / "map.html").read_text()
    windows = library.map(method="pca", points="windows")
    assert windows.title.startswith("8 windows by pca")
    for refused in (
        lambda: found.plot("score"),  # type: ignore[arg-type]
        lambda: found.save(tmp_path / "gone" / "map.html"),
        lambda: library.map(method="best"),
    ):
        with pytest.raises(ParameterError):
            refused()


def test_the_map_of_a_service_is_shown(pretender: Pretender, library: Library, tmp_path: Path):
    here = library.map(method="pca", min_cluster=3)
    pretender.will_answer(dict(here.data))
    found = Library(pretender.url, "birds").map(method="pca", min_cluster=3)
    assert found.to_pandas().equals(here.to_pandas())
    assert json.loads(pretender.asked[0][2])["collection"] == "birds"
    assert found.save(tmp_path / "map.html").stat().st_size > 10_000
