"""A Flow with executors of a user's own behind each of ours, as their READMEs show them."""

from __future__ import annotations

import json
import re
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import yaml
from docarray import DocList
from jina import Client
from jina.checker import NetworkChecker
from jina.parsers.ping import set_ping_parser

from executors.messages.documents import Clip, Found
from tests.fixtures.processes import is_alive
from tests.fixtures.service import READY, START_TIMEOUT_S, STOP_TIMEOUT_S

if TYPE_CHECKING:
    from tests.fixtures.service import Service

KEY = "a-key-of-the-tests"
_CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FLOW = re.compile(r"^```yaml\n(executors:\n.*?)^```$", re.MULTILINE | re.DOTALL)
_OURS = {
    "segmenter": "audio_segmenter",
    "encoder": "vggish_encoder",
    "indexer": "timescale_indexer",
    "ranker": "max_score_ranker",
}


def _own_one(project: Path, folder: Path, ours: str) -> dict[str, Any]:
    """Write the executor that a README shows; return its entry of the Flow."""
    text = (project / "executors" / _OURS[ours] / "README.md").read_text(encoding="utf-8")
    (code,), (shown,) = _CODE.findall(text), _FLOW.findall(text)
    names = [one["name"] for one in yaml.safe_load(shown)["executors"]]
    entry: dict[str, Any] = yaml.safe_load(shown)["executors"][names.index(ours) + 1]
    (module,) = entry["py_modules"]
    (folder / module).write_text(code, encoding="utf-8")
    return {**entry, "py_modules": [str(folder / module)]}


@pytest.fixture(scope="module")
def own(
    project: Path,
    tmp_path_factory: pytest.TempPathFactory,
    copy_flow: Callable[..., Any],
    start_launcher: Callable[..., Service],
    clean_process_environ: dict[str, str],
    database_server: Any,
    wait_until: Callable[..., Any],
) -> Iterator[Service]:
    """Start one Flow with all of them, with a key, and with Jina's ``cors: true``."""
    folder = tmp_path_factory.mktemp("own")

    def change(config: dict[str, Any]) -> None:
        config["gateway"]["cors"] = True
        ours = config["executors"]
        config["executors"] = [
            one for part in ours for one in (part, _own_one(project, folder, part["name"]))
        ]

    flow, _ = copy_flow(change)
    with database_server.database() as url:
        found = start_launcher(
            {
                **clean_process_environ,
                "SOUNDALIKE_DATA_DIR": str(folder / "data"),
                "SOUNDALIKE_DATABASE_URL": url,
                "SOUNDALIKE_ROOTS": "/",
                "SOUNDALIKE_API_KEY": KEY,
            },
            flow,
            wait=False,
        )
        # Twice as many processes as the shipped Flow has.
        wait_until(lambda: READY in found.program.said, "the Flow is ready", 2 * START_TIMEOUT_S)
        yield found
        found.program.kill()


def _ask(service: Service, path: str, *documents: dict[str, Any], **parameters: Any) -> Any:
    body = json.dumps({"data": documents, "parameters": parameters}).encode()
    return service.request(path, body, headers={"X-API-Key": KEY})


def test_they_take_part_and_take_parameters_of_their_own(own: Service, toy_data: Path):
    paths = [str(path) for path in sorted((toy_data / "siren").iterdir())]
    stored = _ask(own, "/index", *({"uri": path} for path in paths), site="pond")
    assert stored.status == 200, stored.text
    found = _ask(own, "/search", {"uri": paths[0]}, top_k=3)
    first = _ask(own, "/search", {"uri": paths[0]}, top_k=3, only_first=True)

    (answer,) = found.json["data"]
    assert len(answer["matches"]) == 3
    assert answer["matches"][0]["tags"] == {"site": "pond", "windows": 4.0}
    assert answer["warnings"] == ["searched 3 recordings"]
    assert len(first.json["data"][0]["matches"]) == 1
    # An answer repeats the parameters as they were given.
    assert first.json["parameters"]["only_first"] is True
    unknown = _ask(own, "/search", {"uri": paths[0]}, only_frist=True)
    assert (unknown.status, unknown.json["code"]) == (422, "parameter.unknown")
    assert "did you mean 'only_first'" in unknown.json["detail"]
    client = Client(host="127.0.0.1", port=own.grpc_port, protocol="grpc")
    (shorter,) = client.post(
        *("/search", DocList[Clip]([Clip(uri=paths[0])])),
        parameters={"shortener__only_first": True},
        return_type=DocList[Found],
        metadata=(("x-api-key", KEY),),
    )
    assert len(shorter.matches) == 1


def test_the_other_endpoints_pass_them(own: Service):
    status = _ask(own, "/status").json["data"][0]
    assert status["configured_encoder"] == "logmel-modulation"
    assert _ask(own, "/collections").status == 200


def test_cors_of_the_flow_file_is_honoured(own: Service):
    request = urllib.request.Request(
        f"{own.url}/api/status", headers={"X-API-Key": KEY, "Origin": "https://elsewhere.example"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.headers.get_all("Access-Control-Allow-Origin") == ["*"]
    body = b'{"data": []}'
    headers = {"X-API-Key": KEY, "Origin": "https://elsewhere.example"}
    assert own.request("/status", body, headers=headers).status == 200


def _ping(address: str) -> int:
    """Return the exit status of ``jina ping``, run in this process."""
    arguments = ["flow", address, "--attempts", "1", "--timeout", "15000"]
    with pytest.raises(SystemExit) as ended:
        NetworkChecker(set_ping_parser().parse_args(arguments))
    return int(ended.value.code or 0)


def test_a_dead_executor_is_named_jinas_readiness_is_honest_and_everything_ends(
    own: Service, wait_until: Callable[..., Any]
):
    """The last one here: it ends an executor, and the launcher the rest, as a supervisor wants it."""
    everybody = own.program.everybody()
    names = own.request("/health").json["executors"]
    http = Client(host="127.0.0.1", port=own.port, protocol="http")
    grpc = Client(host="127.0.0.1", port=own.grpc_port, protocol="grpc")
    assert http.is_flow_ready()
    assert grpc.is_flow_ready()
    assert _ping(f"http://127.0.0.1:{own.port}") == 0
    assert _ping(f"grpc://127.0.0.1:{own.grpc_port}") == 0

    # The launcher would notice at once.
    own.program.process.send_signal(signal.SIGSTOP)
    _an_executor(own).kill()
    wait_until(lambda: own.request("/dry_run").status == 503, "the gateway notices", 60)
    answer = own.request("/health")
    assert (answer.status, answer.json["code"]) == (503, "service.unavailable")
    assert sum(f" {name}:" in answer.json["detail"].replace("(", " ") for name in names) == 1
    assert not http.is_flow_ready()
    assert not grpc.is_flow_ready()
    assert _ping(f"http://127.0.0.1:{own.port}") == 1
    assert _ping(f"grpc://127.0.0.1:{own.grpc_port}") == 1

    own.program.process.send_signal(signal.SIGCONT)
    assert own.program.process.wait(STOP_TIMEOUT_S) == 1, own.program.said
    assert "died; stopping" in own.program.said
    wait_until(lambda: not [one for one in everybody if is_alive(one)], "everybody is gone", 10)


def _an_executor(service: Service) -> psutil.Process:
    """Return the process of any executor: one that listens, and not on the gateway's port."""
    for process in service.program.everybody():
        ports = {one.laddr.port for one in process.net_connections() if one.status == "LISTEN"}
        if ports and service.port not in ports:
            return process
    raise AssertionError("no executor listens")
