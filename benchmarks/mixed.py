"""Requests of all kinds, as many users send them: HTTP and gRPC, Jina's own endpoints too."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import executors  # noqa: F401 - keeps DocArray from loading TensorFlow

# isort: split
import numpy as np
import requests
from docarray import DocList
from jina import Client

from executors.messages.documents import Clip, Found

_COLLECTION, _PASSING = "soak", "soak-passing"
_TIMEOUT_S = 120
_RANGE = {"Range": "bytes=1000-20000"}
#: How often each kind comes in a round of twenty.
_ROUND = (
    *("search by upload",) * 6,
    *("search by recording", "search by vector") * 2,
    *("upload and delete", "play", "waveform", "list", "/search over HTTP", "/index over HTTP"),
    *("/search over gRPC", "collections and status", "a mistake", "wrong name"),
)
_MOST_FAILURES = 5


class Mix:
    """Users who ask a service; each thread has a connection of its own.

    Parameters
    ----------
    url : str
    grpc_port : int
    sounds : sequence of Path
        Where the service can read them.

    Attributes
    ----------
    sent : Counter
        Requests by kind.
    failures : list of str
        The first ones that were not answered as they should.
    n_failed : int
    """

    def __init__(self, url: str, grpc_port: int, sounds: Sequence[Path]) -> None:
        self._url, self._grpc_port, self._sounds = url, grpc_port, sounds
        self._contents = [path.read_bytes() for path in sounds]
        self._own = threading.local()
        self._lock = threading.Lock()
        self.sent: Counter[str] = Counter()
        self.failures: list[str] = []
        self.n_failed = 0
        self._ask: dict[str, Callable[[int], None]] = {
            "search by upload": self._search_by_upload,
            "search by recording": self._search_by_recording,
            "search by vector": self._search_by_vector,
            "upload and delete": self._upload_and_delete,
            "play": self._play,
            "waveform": self._waveform,
            "list": self._list,
            "/search over HTTP": self._jina_search,
            "/index over HTTP": self._jina_index,
            "/search over gRPC": self._grpc_search,
            "collections and status": self._status,
            "a mistake": self._mistake,
            "wrong name": self._wrong_name,
        }
        self._recordings: list[str] = []
        self._dimension = 0

    def prepare(self) -> None:
        """Index the sounds, and learn what there is to ask for."""
        for path in self._sounds:
            self._post("/index", self._body({"uri": str(path)}))
        page = self._get(f"/api/recordings?collection={_COLLECTION}&limit=100")
        self._recordings = [found["recording_id"] for found in page["recordings"]]
        self._dimension = self._get(f"/api/status?collection={_COLLECTION}")["dimension"]

    def send(self, number: int) -> None:
        """Send a request; its kind and what it asks for follow from its number."""
        kind = _ROUND[number % len(_ROUND)]
        try:
            self._ask[kind](number)
        except Exception as exc:
            self._note_failure(f"{kind}: {exc!r}"[:300])
        with self._lock:
            self.sent[kind] += 1

    def close(self) -> None:
        """Forget the connection of this thread."""
        if session := getattr(self._own, "session", None):
            session.close()

    def _note_failure(self, text: str) -> None:
        with self._lock:
            self.n_failed += 1
            if len(self.failures) < _MOST_FAILURES:
                self.failures.append(text)

    @property
    def _session(self) -> requests.Session:
        if not hasattr(self._own, "session"):
            self._own.session = requests.Session()
        found: requests.Session = self._own.session
        return found

    def _asked(self, method: str, path: str, status: int = 200, **what: Any) -> requests.Response:
        answer = self._session.request(method, self._url + path, timeout=_TIMEOUT_S, **what)
        if answer.status_code != status and not (status == 200 and answer.ok):
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:150]}")
        return answer

    def _get(self, path: str) -> Any:
        return self._asked("GET", path).json()

    def _post(self, path: str, body: Any) -> Any:
        return self._asked("POST", path, json=body).json()

    @staticmethod
    def _body(document: dict[str, Any], **parameters: Any) -> dict[str, Any]:
        return {"data": [document], "parameters": {"collection": _COLLECTION, **parameters}}

    def _sound(self, number: int) -> bytes:
        return self._contents[number % len(self._contents)]

    def _recording(self, number: int) -> str:
        return self._recordings[number % len(self._recordings)]

    def _search_by_upload(self, number: int) -> None:
        files = {"file": ("clip.mp3", self._sound(number))}
        form = {"collection": _COLLECTION}
        answer = self._asked("POST", "/api/search", files=files, data=form)
        if not answer.json()["matches"]:
            raise RuntimeError("nothing was found")

    def _search_by_recording(self, number: int) -> None:
        given = {"recording_id": self._recording(number), "at_s": 1.0, "exclude_self": True}
        self._post("/api/search", {"collection": _COLLECTION, **given})

    def _search_by_vector(self, number: int) -> None:
        vector = np.random.default_rng(number).standard_normal(self._dimension)
        self._post("/api/search", {"collection": _COLLECTION, "vector": vector.tolist()})

    def _upload_and_delete(self, number: int) -> None:
        """Send a sound that was never sent before, wait until it is stored, and delete it."""
        # What follows the sound itself makes it another file.
        files = {"files": (f"{number}.mp3", self._sound(number) + number.to_bytes(8, "big"))}
        form = {"collection": f"{_PASSING}-{number % 3}"}
        job = self._asked("POST", "/api/recordings", files=files, data=form).json()
        while job["state"] in ("waiting", "running"):
            time.sleep(0.02)
            job = self._get(f"/api/jobs/{job['id']}")
        (file,) = self._get(f"/api/jobs/{job['id']}/files")["files"]
        self._asked("DELETE", f"/api/recordings/{file['recording_id']}", params=form)

    def _play(self, number: int) -> None:
        path = f"/api/recordings/{self._recording(number)}/audio?collection={_COLLECTION}"
        self._asked("GET", path, headers=_RANGE)

    def _waveform(self, number: int) -> None:
        self._get(f"/api/recordings/{self._recording(number)}/waveform?collection={_COLLECTION}")

    def _list(self, number: int) -> None:
        what = ("recordings", "labels", "folders")[number // len(_ROUND) % 3]
        self._get(f"/api/{what}?collection={_COLLECTION}")

    def _status(self, number: int) -> None:
        self._get(("/api/collections", "/api/status", "/health")[number // len(_ROUND) % 3])

    def _jina_search(self, number: int) -> None:
        path = self._sounds[number % len(self._sounds)]
        self._post("/search", self._body({"uri": str(path)}, top_k=3))

    def _jina_index(self, number: int) -> None:
        self._post("/index", self._body({"uri": str(self._sounds[number % len(self._sounds)])}))

    def _grpc_search(self, number: int) -> None:
        client = Client(host="127.0.0.1", port=self._grpc_port, protocol="grpc")
        clip = Clip(uri=str(self._sounds[number % len(self._sounds)]))
        given = {"collection": _COLLECTION, "top_k": 3}
        found = client.post(
            "/search", DocList[Clip]([clip]), return_type=DocList[Found], parameters=given
        )
        if not found[0].matches:
            raise RuntimeError("nothing was found")

    def _mistake(self, number: int) -> None:
        """Send what is no sound, which is answered with a problem."""
        files = {"file": ("clip.mp3", json.dumps({"number": number}).encode() * 20)}
        self._asked("POST", "/api/search", 415, files=files)

    def _wrong_name(self, number: int) -> None:
        """Ask for what is not there, under a name that nobody has used before."""
        self._asked("GET", f"/api/recordings?collection=none-{number}", 409)
