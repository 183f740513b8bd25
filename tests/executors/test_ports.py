"""Executors get ports that no outgoing connection can have."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from executors.jina_fixes import ports

CODE = """
import executors
from jina.helper import random_port
print(*(random_port() for _ in range(200)))
"""


def test_jina_chooses_ports_that_no_client_gets():
    first_for_clients = int(ports.CLIENT_PORTS.read_text().split()[0])
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    chosen = [int(word) for word in done.stdout.split()]
    assert (
        ports.LOWEST_PORT <= min(chosen) <= max(chosen) < min(first_for_clients, ports.HIGHEST_PORT + 1)
    )
    assert len(set(chosen)) == len(chosen)


@pytest.mark.parametrize("text", ["", "many", "1024 65535\n"])
def test_without_a_usable_range_jina_chooses_as_ever(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "range").write_text(text)
    monkeypatch.setattr(ports, "CLIENT_PORTS", tmp_path / "range")
    environ: dict[str, str] = {}
    ports.choose_ports_below_clients(environ)
    assert environ == {}


def test_a_setting_of_the_user_stays():
    environ = {"JINA_RANDOM_PORT_MIN": "20000"}
    ports.choose_ports_below_clients(environ)
    assert environ == {"JINA_RANDOM_PORT_MIN": "20000"}
