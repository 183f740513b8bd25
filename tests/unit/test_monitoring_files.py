"""Dashboard and alert rules use metrics that exist, and each rule has a line that says what to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "monitoring"
DOCUMENT = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
#: A test of the service compares these rows with what it exports.
ROWS = re.findall(r"^\| `(soundalike_\w+)` \|(.*?) \| (.*?) \|$", DOCUMENT, re.MULTILINE)
#: From Prometheus' own client, and Prometheus itself.
FOREIGN = {"process_resident_memory_bytes", "process_cpu_seconds_total", "up"}
_NAME = re.compile(r"\b(?:soundalike|process)_\w+\b")
_SELECTED = re.compile(r"\b((?:soundalike|process)_\w+)\{(.*?)\}")


def _known() -> set[str]:
    """Return the names of all series."""
    names = set(FOREIGN)
    for name, _, meaning in ROWS:
        parts = ("_bucket", "_sum", "_count") if meaning.startswith("histogram") else ("",)
        names |= {name + part for part in parts}
    return names


def _labels(name: str) -> set[str]:
    plain = re.sub(r"_(?:bucket|sum|count)$", "", name)
    listed = next((labels for known, labels, _ in ROWS if known in (name, plain)), "")
    return {*re.findall(r"`(\w+)`", listed), "job", "instance", "host", "le"}


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    return panels


def _expressions() -> list[str]:
    targets = [target for panel in _panels() for target in panel["targets"]]
    return [*(rule["expr"] for rule in _rules()), *(target["expr"] for target in targets)]


def test_each_metric_that_is_used_exists():
    used = {name for text in _expressions() for name in _NAME.findall(text)}
    assert len(used) > 10
    assert used - _known() == set()


def test_each_label_that_is_used_exists():
    wrong = {
        (name, label)
        for text in _expressions()
        for name, selectors in _SELECTED.findall(text)
        for label in re.findall(r"(\w+)\s*[=!]", selectors)
        if name not in FOREIGN and label not in _labels(name)
    }
    assert wrong == set()


def test_each_metric_is_on_the_dashboard_or_behind_an_alert():
    shown = " ".join(_expressions())
    assert [name for name, _, _ in ROWS if name not in shown] == [
        "soundalike_grpc_calls_total",
        "soundalike_lookups_total",
        "soundalike_build_info",
    ]


def test_each_alert_has_a_line_that_says_what_to_do():
    described = re.findall(r"^\| `(Soundalike\w+)` \| .{20,} \|$", DOCUMENT, re.MULTILINE)
    assert described == [rule["alert"] for rule in _rules()]


def test_codes_of_errors_in_alerts_exist():
    from soundalike.errors import error_classes

    codes = {
        code
        for rule in _rules()
        for given in re.findall(r'code=~?"(.*?)"', rule["expr"])
        for code in given.split("|")
    }
    assert codes
    assert codes <= {error.code for error in error_classes()}


def test_panels_say_what_they_show_and_do_not_overlap():
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in _panels()]
    assert len(set(places)) == len(places)
    assert all(panel["description"] and panel["title"] for panel in _panels())


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Prometheus' promtool")
def test_promtool_accepts_the_rules():
    done = subprocess.run(
        ["promtool", "check", "rules", FOLDER / "alerts.yml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
