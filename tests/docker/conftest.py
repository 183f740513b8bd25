"""The files of docker/, read the way docker/try_without_docker reads them."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

_VARIABLES = {"POSTGRES_PASSWORD": "one", "SOUNDALIKE_DB_PASSWORD": "two"}


@pytest.fixture(scope="session")
def docker_folder() -> Path:
    return Path(__file__).resolve().parents[2] / "docker"


@pytest.fixture(scope="session")
def load_script(docker_folder: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Import a script below docker/, which is no package, by its path."""
    names = set()

    def load(path: str) -> ModuleType:
        name = f"docker_{Path(path).stem}"
        spec = importlib.util.spec_from_file_location(name, docker_folder / path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        names.add(name)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in names:
        del sys.modules[name]


@pytest.fixture(scope="session")
def recipe(load_script: Callable[[str], ModuleType]) -> ModuleType:
    """Import the module that reads Dockerfile and compose.yml."""
    return load_script("try_without_docker/recipe.py")


@pytest.fixture(scope="session")
def dockerfile(recipe: ModuleType, docker_folder: Path) -> Any:
    return recipe.Dockerfile((docker_folder / "Dockerfile").read_text())


@pytest.fixture(scope="session")
def services(recipe: ModuleType, docker_folder: Path) -> dict[str, Any]:
    """Read the services of compose.yml, with made-up passwords."""
    found: dict[str, Any] = recipe.read_compose(docker_folder / "compose.yml", _VARIABLES)["services"]
    return found


@pytest.fixture(scope="session")
def components(services: dict[str, Any]) -> dict[str, Any]:
    """Return the services whose images are this project's own."""
    return {name: service for name, service in services.items() if "build" in service}


@pytest.fixture(scope="session")
def flow(project: Path) -> dict[str, Any]:
    """flow.yml."""
    found: dict[str, Any] = yaml.safe_load((project / "flow.yml").read_text())
    return found
