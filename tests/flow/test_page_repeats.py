"""Copies and motifs on the page, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
from playwright.sync_api import expect

if TYPE_CHECKING:
    from tests.fixtures.service import Service

pytestmark = pytest.mark.browser

RATE_HZ = 16_000
PLACES_S = (10.0, 33.5, 61.2)


def test_copies_and_motifs_are_shown_saved_and_named(
    service: Service, page: Any, tmp_path: Path, write_wav: Callable[..., Path]
):
    night = 0.01 * np.random.default_rng(1).standard_normal(80 * RATE_HZ)
    time_s = np.arange(RATE_HZ) / RATE_HZ
    for at_s in PLACES_S:
        night[round(at_s * RATE_HZ) :][:RATE_HZ] += 0.1 * np.sin(2 * np.pi * 1500 * time_s * time_s)
    paths = [write_wav(tmp_path / "=night.wav", night), write_wav(tmp_path / "copy.wav", 0.5 * night)]
    assert (
        service.post("/index", *({"uri": str(path)} for path in paths)).json["parameters"]["failed"] == 0
    )

    page.goto(f"{page.address}#/duplicates")
    expect(page.get_by_role("heading", level=1, name="Copies")).to_be_visible()
    page.get_by_role("button", name="Find copies").click()
    group = page.get_by_role("region", name="Group 1")
    expect(group.get_by_role("listitem")).to_have_count(2)
    expect(group.locator("[data-suggestion=remove]")).to_have_count(1)
    expect(group.get_by_role("button", name="Play")).to_have_count(2)
    with page.expect_download() as download:
        page.get_by_role("button", name="Suggestions (CSV)").click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert lines[0].startswith("group,suggestion,score")
    assert [line.split(",")[1] for line in lines[1:]] == ["keep", "remove"]

    page.get_by_role("link", name="Motifs").click()
    page.get_by_role("button", name="Find motifs").click()
    motif = page.get_by_role("region", name="Motif 1")
    expect(motif.get_by_role("heading")).to_have_text("Motif 1: 6 occurrences")
    expect(motif.get_by_role("img")).to_have_count(2)
    motif.get_by_label("Name of Motif 1").fill("call")
    motif.get_by_role("button", name="Name it").click()
    expect(motif.get_by_role("status")).to_contain_text("6 annotations stored")
    labels = requests.get(f"{service.url}/api/annotations/labels", timeout=60).json()["labels"]
    assert [(row["label"], row["annotations"]) for row in labels] == [("call", 6)]
    motif.get_by_role("link", name="Search with it").click()
    expect(page.locator(".match")).not_to_have_count(0)
