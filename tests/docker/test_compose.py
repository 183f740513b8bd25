"""compose.yml and the files beside it, checked without an engine."""

import json
import re
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

_VARIABLE = re.compile(r"\$\{(\w+)")


def argument(service: dict[str, Any], name: str) -> Any:
    """Return what follows an option of a service's command, as JSON."""
    command = service["command"]
    return json.loads(command[command.index(name) + 1])


def test_ports_are_published_on_loopback_only(services: dict[str, Any], docker_folder: Path) -> None:
    overlay = yaml.safe_load((docker_folder / "compose.executors.yml").read_text())["services"]
    ports = [
        port
        for found in (services, overlay)
        for service in found.values()
        for port in service.get("ports", [])
    ]
    assert len(ports) == 2 + 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_only_the_gateway_is_published(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["gateway"]


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "SOUNDALIKE_DB_PASSWORD"])
def test_passwords_have_no_default(recipe: ModuleType, docker_folder: Path, name: str) -> None:
    others = {"POSTGRES_PASSWORD": "one", "SOUNDALIKE_DB_PASSWORD": "two"}
    del others[name]
    with pytest.raises(ValueError, match=rf"{name}: .*\.env"):
        recipe.read_compose(docker_folder / "compose.yml", others)


def test_env_example_names_every_variable_and_no_password(docker_folder: Path) -> None:
    used = set(_VARIABLE.findall((docker_folder / "compose.yml").read_text()))
    lines = (docker_folder / ".env.example").read_text().splitlines()
    named = {
        match[1]: match[2] for line in lines if (match := re.fullmatch(r"(?:# )?([A-Z_]+)=(.*)", line))
    }
    assert set(named) == used
    assert {name: value for name, value in named.items() if "PASSWORD" in name} == {
        "POSTGRES_PASSWORD": "",
        "SOUNDALIKE_DB_PASSWORD": "",
    }


def test_env_example_states_the_defaults(docker_folder: Path) -> None:
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", (docker_folder / "compose.yml").read_text()))
    example = (docker_folder / ".env.example").read_text()
    for name, default in defaults.items():
        assert f"# {name}={default}" in example


def test_env_is_not_committed(project: Path) -> None:
    assert ".env" in (project / ".gitignore").read_text().split()


def test_images_are_pinned(services: dict[str, Any]) -> None:
    assert re.fullmatch(
        r"timescale/timescaledb-ha:pg17\.\d+-ts\d+\.\d+\.\d+", services["database"]["image"]
    )


def test_whoever_is_waited_for_tells_its_health(services: dict[str, Any]) -> None:
    waited_for = set()
    for service in services.values():
        for name, dependency in service.get("depends_on", {}).items():
            assert dependency == {"condition": "service_healthy"}
            waited_for.add(name)
    assert waited_for == set(services) - {"gateway"}
    assert all("test" in service["healthcheck"] for service in services.values())


def test_probe_asks_the_port_that_is_served(components: dict[str, Any]) -> None:
    for service in components.values():
        # A port of gRPC, or an address of HTTP.
        port = service["healthcheck"]["test"][-1].removesuffix("/ready").rpartition(":")[2]
        assert port in service["command"] or f"--port={port}" in service["command"]


def test_services_come_back_and_stop_in_time(services: dict[str, Any]) -> None:
    for service in services.values():
        assert service["restart"] == "unless-stopped"
        assert service["init"] is True
        assert service["stop_grace_period"]


def test_components_may_do_as_little_as_possible(components: dict[str, Any]) -> None:
    for service in components.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_database_is_known_to_the_indexer_only(services: dict[str, Any]) -> None:
    told = {
        name for name, service in services.items() if "DATABASE_URL" in str(service.get("environment"))
    }
    assert told == {"indexer"}
    environment = services["indexer"]["environment"]
    assert environment["SOUNDALIKE_DATABASE_URL"] == "postgresql://soundalike@database:5432/soundalike"
    assert (
        environment["PGPASSWORD"]
        == services["database"]["environment"]["SOUNDALIKE_DB_PASSWORD"]
        == "two"
    )


def test_no_yaml_of_jina_names_a_database(project: Path) -> None:
    files = [project / "flow.yml", project / "docker" / "flow-containers.yml"]
    files += (project / "executors").glob("*/config.yml")
    assert len(files) == 2 + 5
    assert not [path for path in files if re.search("postgres|DATABASE", path.read_text())]


def test_database_keeps_its_data_and_has_shared_memory(
    recipe: ModuleType, services: dict[str, Any]
) -> None:
    database = services["database"]
    assert not recipe.mounts(database)[database["environment"]["PGDATA"]].read_only
    assert database["shm_size"] == "2gb"
    assert "timescaledb.telemetry_level=off" in database["command"]


def test_segmenter_and_encoder_share_the_spool(
    recipe: ModuleType, dockerfile: Any, components: dict[str, Any]
) -> None:
    volume = recipe.Mount("spool", False)
    variables = " ".join(
        instruction.value
        for instruction in dockerfile.stages["runtime"].instructions
        if instruction.keyword == "ENV"
    )
    assert "SOUNDALIKE_SPOOL_DIR=/spool" in variables
    sharing = {
        name for name, service in components.items() if recipe.mounts(service).get("/spool") == volume
    }
    assert sharing == {"segmenter", "encoder"}


def test_gateway_and_segmenter_share_audio_and_uploads(
    recipe: ModuleType, dockerfile: Any, components: dict[str, Any]
) -> None:
    variables = " ".join(
        instruction.value
        for instruction in dockerfile.stages["runtime"].instructions
        if instruction.keyword == "ENV"
    )
    assert "SOUNDALIKE_UPLOADS_DIR=/uploads" in variables
    found = {name: recipe.mounts(service) for name, service in components.items()}
    assert {name for name, mounts in found.items() if "/uploads" in mounts} == {"segmenter", "gateway"}
    # Only the gateway writes.
    assert found["segmenter"]["/uploads"] == recipe.Mount("uploads", True)
    assert found["gateway"]["/uploads"] == recipe.Mount("uploads", False)
    assert found["gateway"]["/audio"] == found["segmenter"]["/audio"]


def test_audio_and_weights_are_read_only(recipe: ModuleType, components: dict[str, Any]) -> None:
    assert recipe.mounts(components["segmenter"])["/audio"] == recipe.Mount("../toy-data", True)
    assert recipe.mounts(components["encoder"])["/weights"] == recipe.Mount("./weights", True)


def test_what_is_mounted_exists(
    recipe: ModuleType, services: dict[str, Any], docker_folder: Path
) -> None:
    mounted = [mount for service in services.values() for mount in recipe.mounts(service).values()]
    own = [mount.source for mount in mounted if mount.source.startswith(".")]
    assert len(own) == 4
    assert all((docker_folder / source).exists() for source in own)


def test_gateway_has_the_graph_of_flow_yml(components: dict[str, Any], flow: dict[str, Any]) -> None:
    names = ["start-gateway", *(executor["name"] for executor in flow["executors"]), "end-gateway"]
    graph = argument(components["gateway"], "--graph-description")
    assert graph == {before: [after] for before, after in pairwise(names)}
    addresses = argument(components["gateway"], "--deployments-addresses")
    assert addresses == {name: [f"{name}:8081"] for name in names[1:-1]}


def test_windows_are_those_of_flow_yml(components: dict[str, Any], flow: dict[str, Any]) -> None:
    (segmenter,) = (executor for executor in flow["executors"] if executor["name"] == "segmenter")
    assert argument(components["segmenter"], "--uses-with") == segmenter["uses_with"]


def test_flow_containers_reaches_what_is_published(docker_folder: Path, flow: dict[str, Any]) -> None:
    outside = yaml.safe_load((docker_folder / "flow-containers.yml").read_text())
    published = yaml.safe_load((docker_folder / "compose.executors.yml").read_text())["services"]
    assert [executor["name"] for executor in outside["executors"]] == [
        executor["name"] for executor in flow["executors"]
    ]
    for executor in outside["executors"]:
        assert executor["external"] is True
        assert published[executor["name"]]["ports"] == [f"{executor['host']}:{executor['port']}:8081"]
    assert outside["with"] == flow["with"]
    assert outside["gateway"]["port"] == flow["gateway"]["port"]


def test_gateway_asks_for_a_key_where_there_is_one(services: dict[str, Any]) -> None:
    environment = services["gateway"]["environment"]
    assert environment["SOUNDALIKE_API_KEY"] == ""
    assert environment["SOUNDALIKE_ALLOW_ANONYMOUS"] == "1"
    assert environment["SOUNDALIKE_HOSTS"] == "localhost,127.0.0.1"
    assert "SOUNDALIKE_API_KEY" not in services["segmenter"]["environment"]


def test_requests_name_files_that_are_mounted(recipe: ModuleType, services: dict[str, Any]) -> None:
    root = services["segmenter"]["environment"]["SOUNDALIKE_ROOTS"]
    assert root in recipe.mounts(services["segmenter"])
