"""Find clusters in a layout, and name them after labels, tags and folders of their members."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from soundalike.maps.layout import Clusters
from soundalike.types import FloatArray, Recording

#: Cluster of points that belong to none.
NOISE = -1
#: HDBSCAN compares all pairs: of more points, a random sample decides.
_SAMPLE = 20_000
#: Share of a cluster's members that a name must describe, and how much more often than elsewhere.
_LEAST_SHARE, _LEAST_LIFT = 0.3, 1.3
_WORDS = 2
_LONGEST_WORD = 40


def find_clusters(xy: FloatArray, min_cluster: int | None) -> Clusters:
    """Return the cluster of each point, the largest first, or `NOISE`.

    Parameters
    ----------
    xy : (n, 2) float32
        In an order that has nothing to do with the places.
    min_cluster : int or None
        Least points of a cluster; None: half the square root of `n`, at least 5.
    """
    least = min_cluster or max(5, round(math.sqrt(len(xy)) / 2))
    none = np.full(len(xy), NOISE, np.int32)
    sample = xy[:_SAMPLE]
    least_of_sample = max(2, round(least * len(sample) / max(len(xy), 1)))
    if len(sample) < 2 * least_of_sample or np.ptp(sample, axis=0).max() == 0:
        return none
    from sklearn.cluster import HDBSCAN

    made = HDBSCAN(min_cluster_size=least_of_sample, min_samples=min(5, least_of_sample), copy=True)
    found = made.fit_predict(sample.astype(np.float64)).astype(np.int32)
    order = [cluster for cluster, _ in Counter(found[found >= 0].tolist()).most_common()]
    ranks = np.full(len(order) + 1, NOISE, np.int32)
    ranks[order] = np.arange(len(order))
    ranked: Clusters = ranks[found]
    if len(xy) > len(sample):
        from sklearn.neighbors import NearestNeighbors

        near = NearestNeighbors(n_neighbors=1).fit(sample)
        rest = near.kneighbors(xy[len(sample) :], return_distance=False)[:, 0]
        ranked = np.concatenate((ranked, ranked[rest]))
    return ranked


def name_clusters(clusters: Clusters, recordings: Sequence[Recording]) -> list[str]:
    """Return the name of each cluster: the words that distinguish its members, else a number.

    Parameters
    ----------
    clusters : (n,) int32
    recordings : sequence of Recording
        Of each point.
    """
    count = int(clusters.max(initial=NOISE)) + 1
    words = {id(recording): words_of(recording) for recording in recordings}
    order = {word: place for found in words.values() for place, word in enumerate(found)}
    inside = [Counter[str]() for _ in range(count)]
    everywhere: Counter[str] = Counter()
    for cluster, recording in zip(clusters.tolist(), recordings, strict=True):
        found = words[id(recording)]
        everywhere.update(found)
        if cluster != NOISE:
            inside[cluster].update(found)
    sizes = np.bincount(clusters[clusters >= 0], minlength=count)
    names: list[str] = []
    for cluster, counts in enumerate(inside):
        rated = _rated(counts, int(sizes[cluster]), everywhere, len(recordings))
        # The label stands before a folder of the same name or members.
        chosen = sorted(rated, key=lambda word: (rated[word], order[word]))
        kinds = {(counts[word], everywhere[word]): word for word in reversed(chosen)}
        distinct = [word for word in chosen if word in kinds.values()]
        names.append(_distinct(", ".join(distinct[:_WORDS]) or f"cluster {cluster + 1}", names))
    return names


def words_of(recording: Recording) -> list[str]:
    """Return label, tags that are texts, and folder of a recording, each once.

    Examples
    --------
    >>> from soundalike.types import Recording
    >>> one = Recording("", "/clips/pond/a.wav", 1.0, label="frog", tags={"mic": "AudioMoth", "n": 1})
    >>> words_of(one)
    ['frog', 'AudioMoth', 'pond']
    """
    texts = [recording.label, *(value for value in recording.tags.values() if isinstance(value, str))]
    texts.append(PurePath(recording.uri).parent.name)
    stripped = [text.strip() for text in texts if text]
    return list(dict.fromkeys(text for text in stripped if 0 < len(text) <= _LONGEST_WORD))


def _rated(counts: Counter[str], size: int, everywhere: Counter[str], total: int) -> dict[str, float]:
    """Return the words that describe a cluster, the best with the lowest number."""
    rated: dict[str, float] = {}
    for word, count in counts.items():
        share, share_of_all = count / size, everywhere[word] / total
        if share >= _LEAST_SHARE and share >= _LEAST_LIFT * share_of_all:
            rated[word] = -share * math.log(share / share_of_all)
    return rated


def _distinct(name: str, taken: Sequence[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name} {number}"
    return found
