"""deploy/kubernetes: Jina's export, and what kustomize makes of it; checked without a cluster."""

from __future__ import annotations

import asyncio
import json
import os
import re
import runpy
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import kubernetes_validate
import pytest
import yaml

PARTS = ("segmenter", "encoder", "indexer", "ranker", "gateway")
OVERLAYS = ("single", "production")
#: The oldest version that is supported (probes over gRPC, `matchLabelKeys`), and the newest known one.
VERSIONS = ("1.29", "1.37")
Objects = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="session")
def kubernetes(project: Path) -> Path:
    return project / "deploy" / "kubernetes"


@pytest.fixture(scope="session")
def files(kubernetes: Path) -> list[Path]:
    """Return every file of objects, patches included."""
    found = [*kubernetes.rglob("*.yml"), *kubernetes.rglob("*.yaml")]
    return sorted(path for path in found if path.name != "flow.yml")


def render(folder: Path) -> Objects:
    """Return what kustomize makes of a folder, by kind and name."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed; it contains kustomize")
    done = subprocess.run(
        [kubectl, "kustomize", folder], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    objects = list(yaml.safe_load_all(done.stdout))
    found = {(one["kind"], one["metadata"]["name"]): one for one in objects}
    assert len(found) == len(objects)
    return found


@pytest.fixture(scope="session")
def rendered(kubernetes: Path) -> dict[str, Objects]:
    """Return the objects of each overlay."""
    return {overlay: render(kubernetes / "overlays" / overlay) for overlay in OVERLAYS}


@pytest.fixture(params=OVERLAYS)
def objects(rendered: dict[str, Objects], request: pytest.FixtureRequest) -> Objects:
    return rendered[request.param]


def deployments(objects: Objects) -> dict[str, Any]:
    return {name: one["spec"] for (kind, name), one in objects.items() if kind == "Deployment"}


def pods(objects: Objects) -> dict[str, Any]:
    return {name: one["template"]["spec"] for name, one in deployments(objects).items()}


def containers(objects: Objects) -> dict[str, Any]:
    found = {}
    for name, pod in pods(objects).items():
        (found[name],) = pod["containers"]
        assert "initContainers" not in pod
    return found


def test_base_is_what_jina_exports_now(project: Path, kubernetes: Path) -> None:
    tool = runpy.run_path(str(project / "tools" / "export_kubernetes.py"))
    fresh = tool["export"](kubernetes / "flow.yml")
    assert sorted(fresh) == sorted(f"{part}.yml" for part in PARTS)
    committed = {path.name: path.read_text() for path in (kubernetes / "base").glob("*.yml")}
    assert committed == fresh, "run: python tools/export_kubernetes.py"
    listed = yaml.safe_load((kubernetes / "base" / "kustomization.yaml").read_text())["resources"]
    assert sorted(listed) == sorted(fresh)
    assert not any(str(project) in text for text in fresh.values())


def test_flow_is_the_shipped_one(kubernetes: Path, flow: dict[str, Any]) -> None:
    here = yaml.safe_load((kubernetes / "flow.yml").read_text())
    assert here["with"]["retries"] == flow["with"]["retries"]
    shared = ("name", "allow_concurrent", "uses_with")
    assert [{key: one.get(key) for key in shared} for one in here["executors"]] == [
        {key: one.get(key) for key in shared} for one in flow["executors"]
    ]


def test_every_file_of_a_folder_is_used(kubernetes: Path, files: list[Path]) -> None:
    for folder in {path.parent for path in files}:
        text = (folder / "kustomization.yaml").read_text()
        for path in folder.glob("*.yml"):
            assert path.name in text, path


@pytest.mark.parametrize("version", VERSIONS)
def test_written_objects_are_valid(files: list[Path], version: str) -> None:
    """Also without kustomize. Patches are parts of objects and lack required fields."""
    for path in files:
        if path.suffix == ".yaml" or is_patch(path):
            continue
        for one in yaml.safe_load_all(path.read_text()):
            kubernetes_validate.validate(one, version, strict=True)


def is_patch(path: Path) -> bool:
    text = yaml.safe_load((path.parent / "kustomization.yaml").read_text())
    return path.name in {patch.get("path") for patch in text.get("patches", [])}


@pytest.mark.parametrize("version", VERSIONS)
def test_rendered_objects_are_valid(objects: Objects, version: str) -> None:
    for one in objects.values():
        kubernetes_validate.validate(one, version, strict=True)


def test_everything_is_in_the_namespace(objects: Objects) -> None:
    for (kind, _), one in objects.items():
        assert kind == "Namespace" or one["metadata"]["namespace"] == "soundalike"
    labels = objects["Namespace", "soundalike"]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_pods_may_do_as_little_as_possible(objects: Objects) -> None:
    assert sorted(pods(objects)) == sorted(PARTS)
    for pod in pods(objects).values():
        security = pod["securityContext"]
        assert security["runAsNonRoot"] is True
        # The user of the images.
        assert security["runAsUser"] == security["runAsGroup"] == security["fsGroup"] == 10001
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
    for container in containers(objects).values():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_resources_are_asked_for_and_memory_is_limited(objects: Objects) -> None:
    for container in containers(objects).values():
        resources = container["resources"]
        assert {"cpu", "memory", "ephemeral-storage"} <= resources["requests"].keys()
        assert {"memory", "ephemeral-storage"} <= resources["limits"].keys()


def test_images_have_the_version_as_their_tag(objects: Objects, project: Path) -> None:
    version = re.search(r'^version = "(.+)"$', (project / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    for name, container in containers(objects).items():
        assert container["image"] == f"soundalike/{name}:{version[1]}"


def test_probes_ask_without_a_process(objects: Objects) -> None:
    for name, container in containers(objects).items():
        ports = [port["containerPort"] for port in container["ports"]]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            # `jina ping` would start one.
            assert "exec" not in container[probe]
        # gRPC's health service, on the port of gRPC: the gateway's second.
        assert container["livenessProbe"]["grpc"]["port"] == ports[-1]
        assert container["startupProbe"]["grpc"]["port"] == ports[-1]
        if name != "gateway":
            assert container["readinessProbe"]["grpc"]["port"] == ports[-1]
    ready = containers(objects)["gateway"]["readinessProbe"]["httpGet"]
    assert (ready["path"], ready["port"]) == ("/ready", 8080)
    assert {"name": "Host", "value": "localhost"} in ready["httpHeaders"]


def test_secrets_are_named_and_not_written(objects: Objects, files: list[Path]) -> None:
    assert not [kind for kind, _ in objects if kind == "Secret"]
    named = {
        (part, variable["name"], *sorted(variable["valueFrom"]["secretKeyRef"].values()))
        for part, container in containers(objects).items()
        for variable in container["env"]
        if "secretKeyRef" in variable.get("valueFrom", {})
    }
    assert named == {
        ("gateway", "SOUNDALIKE_API_KEY", "api-key", "soundalike"),
        ("indexer", "SOUNDALIKE_DATABASE_URL", "database-url", "soundalike"),
    }
    for path in files:
        assert not re.search(r"postgres(ql)?://|PASSWORD|kind: Secret", path.read_text()), path


def test_volumes_are_mounted_where_the_images_look(
    objects: Objects, recipe: Any, components: dict[str, Any]
) -> None:
    claims = {name for kind, name in objects if kind == "PersistentVolumeClaim"}
    assert claims == {"audio", "uploads", "spool", "weights"}
    for name, pod in pods(objects).items():
        sources = {volume["name"]: volume for volume in pod["volumes"]}
        mounts = {mount["mountPath"]: mount for mount in containers(objects)[name]["volumeMounts"]}
        # As compose.yml has them, with the same rights.
        assert {path: mount.get("readOnly", False) for path, mount in mounts.items()} == {
            "/tmp": False,
            **{path: mount.read_only for path, mount in recipe.mounts(components[name]).items()},
        }
        for path, mount in mounts.items():
            assert path == f"/{mount['name']}"
            assert "emptyDir" in sources[mount["name"]] or mount["name"] in claims


def test_updates_replace_pods_one_by_one(objects: Objects) -> None:
    for name, one in deployments(objects).items():
        assert one["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        pod = one["template"]["spec"]
        (container,) = pod["containers"]
        if name == "gateway":
            # The jobs are those of one.
            assert one["replicas"] == 1
            environment = {each["name"]: each.get("value") for each in container["env"]}
            # Longer than Uvicorn keeps a connection without requests.
            assert 5 < int(environment["SOUNDALIKE_DRAIN_S"]) < pod["terminationGracePeriodSeconds"] - 60
            continue
        (wait,) = re.findall(r"sleep (\d+)", str(container["lifecycle"]["preStop"]))
        options = json.loads(container["args"][container["args"].index("--grpc-server-options") + 1])
        # Two connections (gRPC adds up to 10 %), so that the gateway has asked DNS since.
        assert int(wait) > 2 * 1.1 * options["grpc.max_connection_age_ms"] / 1000
        assert pod["terminationGracePeriodSeconds"] > int(wait) + 30


def test_each_part_has_a_budget_of_disruption(objects: Objects) -> None:
    for name, one in deployments(objects).items():
        budget = objects["PodDisruptionBudget", name]["spec"]
        assert budget["maxUnavailable"] == 1
        assert budget["selector"]["matchLabels"] == one["selector"]["matchLabels"]


def test_executors_are_reached_by_the_gateway_only(objects: Objects) -> None:
    policies = {name: one["spec"] for (kind, name), one in objects.items() if kind == "NetworkPolicy"}
    assert policies["deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    labels = {name: one["template"]["metadata"]["labels"] for name, one in deployments(objects).items()}
    chosen = policies["executors"]["podSelector"]["matchLabels"].items()
    assert {name for name in PARTS if chosen <= labels[name].items()} == {*PARTS} - {"gateway"}
    (rule,) = policies["executors"]["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": {"app": "gateway"}}}]
    assert policies["database"]["podSelector"]["matchLabels"] == {"app": "indexer"}
    for policy in policies.values():
        wanted = policy["podSelector"].get("matchLabels", {}).items()
        assert any(wanted <= labels[name].items() for name in PARTS)


def test_names_of_executors_mean_all_their_pods(objects: Objects) -> None:
    for part in PARTS:
        service = objects["Service", part]["spec"]
        assert (service.get("clusterIP") == "None") == (part != "gateway")


def test_jina_understands_its_own_arguments(objects: Objects) -> None:
    from jina.parsers import set_gateway_parser, set_pod_parser

    for name, container in containers(objects).items():
        program, *arguments = container["args"]
        assert program == ("gateway" if name == "gateway" else "executor")
        parser = set_gateway_parser() if name == "gateway" else set_pod_parser()
        found = parser.parse_args(arguments)
        assert found.port == [port["containerPort"] for port in container["ports"]]
        assert found.grpc_server_options["grpc.http2.max_ping_strikes"] == 0
        if name != "gateway":
            assert found.allow_concurrent == (name != "ranker")


def test_requests_go_to_all_pods_of_a_name_in_turn(kubernetes: Path) -> None:
    (_, _, _, deployment) = yaml.safe_load_all((kubernetes / "base" / "gateway.yml").read_text())
    arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    options = json.loads(arguments[arguments.index("--grpc-channel-options") + 1])
    # A restarted container keeps its address, and gRPC's default is two minutes.
    assert options["grpc.max_reconnect_backoff_ms"] <= 5000
    # The second server may need a moment more than the first.
    assert min(asyncio.run(answers_of_two(options)).values()) >= 15
    assert list(asyncio.run(answers_of_two({})).values()) == [40]


async def answers_of_two(options: dict[str, Any]) -> Counter[int]:
    """Send 40 requests through a channel of Jina's to a name with two addresses."""
    from jina.serve.networking.utils import get_grpc_channel

    answered: Counter[int] = Counter()
    servers = []
    for number in range(2):

        async def answer(_request: bytes, _context: Any, number: int = number) -> bytes:
            answered[number] += 1
            return b""

        server = grpc.aio.server()
        handlers = {"Call": grpc.unary_unary_rpc_method_handler(answer)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", handlers),))
        servers.append((server, server.add_insecure_port("127.0.0.1:0")))
        await server.start()
    target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for _, port in servers)
    channel = get_grpc_channel(target, asyncio=True, options=options)
    for _ in range(40):
        await channel.unary_unary("/test/Call")(b"", timeout=10)
    await channel.close()
    for server, _ in servers:
        await server.stop(None)
    return answered


def test_production_scales_the_encoder(rendered: dict[str, Objects]) -> None:
    objects = rendered["production"]
    scaler = objects["HorizontalPodAutoscaler", "encoder"]["spec"]
    target = scaler["scaleTargetRef"]
    assert (target["kind"], target["name"]) in objects
    # Otherwise each `kubectl apply` would undo what the autoscaler did.
    assert {name for name, one in deployments(objects).items() if "replicas" not in one} == {"encoder"}
    assert scaler["minReplicas"] >= 2
    replicas = {name: one.get("replicas") for name, one in deployments(objects).items()}
    assert [replicas[name] for name in ("segmenter", "indexer", "ranker")] == [2, 2, 2]


def test_queue_is_an_option(kubernetes: Path, rendered: dict[str, Objects], tmp_path: Path) -> None:
    folder = os.path.relpath(kubernetes, tmp_path.resolve())
    kustomization = {
        "resources": [f"{folder}/overlays/production"],
        "components": [f"{folder}/components/autoscaling-queue"],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    scaler = render(tmp_path)["HorizontalPodAutoscaler", "encoder"]
    kubernetes_validate.validate(scaler, VERSIONS[-1], strict=True)
    before = rendered["production"]["HorizontalPodAutoscaler", "encoder"]["spec"]["metrics"]
    *kept, added = scaler["spec"]["metrics"]
    assert kept == before
    assert added["external"]["metric"] == {"name": "soundalike_jobs_waiting"}


def test_ingress_leads_to_the_gateway_with_tls_and_prefix(rendered: dict[str, Objects]) -> None:
    assert not [kind for kind, _ in rendered["single"] if kind == "Ingress"]
    objects = rendered["production"]
    ingress = objects["Ingress", "gateway"]["spec"]
    (rule,) = ingress["rules"]
    (path,) = rule["http"]["paths"]
    assert ingress["tls"][0]["hosts"] == [rule["host"]]
    service = objects["Service", path["backend"]["service"]["name"]]["spec"]
    assert path["backend"]["service"]["port"]["number"] in {one["port"] for one in service["ports"]}
    environment = {one["name"]: one.get("value") for one in containers(objects)["gateway"]["env"]}
    assert environment["SOUNDALIKE_ROOT_PATH"] == path["path"]
    assert environment["SOUNDALIKE_HOSTS"] == rule["host"]
