"""What Jina exports from deploy/kubernetes/flow.yml, without a network, and the picture of the Flow."""

from __future__ import annotations

import runpy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml
from jina import Flow

PARTS = ["segmenter", "encoder", "indexer", "ranker", "gateway"]
VERSION = version("soundalike")


@pytest.fixture
def flow(project: Path) -> Flow:
    return Flow.load_config(str(project / "deploy" / "kubernetes" / "flow.yml"))


def test_kubernetes_gets_an_image_for_each_part_and_secrets_by_name(flow: Flow, tmp_path: Path):
    flow.to_kubernetes_yaml(str(tmp_path))
    containers: dict[str, Any] = {}
    for part in PARTS:
        (file,) = (tmp_path / part).glob("*.yml")
        documents = list(yaml.safe_load_all(file.read_text()))
        (deployment,) = (one for one in documents if one["kind"] == "Deployment")
        (containers[part],) = deployment["spec"]["template"]["spec"]["containers"]

    assert {part: one["image"] for part, one in containers.items()} == {
        part: f"soundalike/{part}:{VERSION}" for part in PARTS
    }
    secrets = {
        (part, one["name"], one["valueFrom"]["secretKeyRef"]["key"])
        for part, container in containers.items()
        for one in container["env"]
        if "secretKeyRef" in one.get("valueFrom", {})
    }
    assert secrets == {
        ("gateway", "SOUNDALIKE_API_KEY", "api-key"),
        ("indexer", "SOUNDALIKE_DATABASE_URL", "database-url"),
    }


def test_compose_gets_services_that_hide_nothing_of_their_images(flow: Flow, tmp_path: Path):
    flow.to_docker_compose_yaml(str(tmp_path / "compose.yml"))
    services = yaml.safe_load((tmp_path / "compose.yml").read_text())["services"]

    assert sorted(services) == sorted(PARTS)
    assert {name: one["image"] for name, one in services.items()} == {
        part: f"soundalike/{part}:{VERSION}" for part in PARTS
    }
    assert not [name for name in PARTS if services[name].get("volumes")]
    assert {"45678", "45679"} <= {str(port).split(":")[-1] for port in services["gateway"]["ports"]}


def test_images_are_of_the_parts_of_the_shipped_flow(project: Path):
    shipped = yaml.safe_load((project / "flow.yml").read_text())
    images = yaml.safe_load((project / "deploy" / "kubernetes" / "flow.yml").read_text())
    assert [one["name"] for one in images["executors"]] == [one["name"] for one in shipped["executors"]]
    assert images["gateway"]["port"] == shipped["gateway"]["port"]


def test_the_picture_is_that_of_the_shipped_flow(project: Path):
    tool = runpy.run_path(str(project / "tools" / "draw_flow.py"))
    drawn = tool["render"](yaml.safe_load((project / "flow.yml").read_text()))
    assert (project / "docs" / "images" / "flow.svg").read_text() == drawn
    assert all(part in drawn for part in PARTS)
