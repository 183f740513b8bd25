"""The page's files: markup that no text can become, nothing from elsewhere, and names that agree."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.fixtures.pages import loaded_by, parse_page

STATIC = Path(__file__).parents[2] / "executors" / "gateway" / "static"
#: Files of the map, which the page shares with the file of `soundalike map`.
MAP = Path(__file__).parents[2] / "soundalike" / "maps" / "web"
SCRIPTS = sorted([*(STATIC / "js").glob("*.js"), *MAP.glob("*.js")])
SHEETS = sorted([*STATIC.glob("*.css"), *MAP.glob("*.css")])
#: In the file alone.
FILE_ONLY = {"file.js"}
#: Ways by which text becomes markup or a program.
MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc"
    r"|setHTMLUnsafe|\beval\b|new Function|javascript:|setTimeout\(\s*[\"'`]|cssText"
)


@pytest.fixture(scope="module")
def index() -> ElementTree.Element:
    return parse_page((STATIC / "index.html").read_text(encoding="utf-8"))


def test_there_are_files():
    assert len(SCRIPTS) > 10
    assert len(SHEETS) == 4


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_text_becomes_markup(path: Path):
    assert MARKUP.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", [*SCRIPTS, *SHEETS], ids=lambda path: path.name)
def test_modules_are_small(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 400


@pytest.mark.parametrize("path", [*SCRIPTS, *SHEETS], ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path: Path):
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"https?://|//[\w-]+\.\w+|@import|url\(", text) == []


def test_the_markup_holds_no_script_and_no_style(index: ElementTree.Element):
    for element in index.iter():
        assert "style" not in element.attrib, element.attrib
        assert not [name for name in element.attrib if name.startswith("on")], element.attrib
        if element.tag in ("script", "style"):
            assert not (element.text or "").strip()


def test_what_is_loaded_is_there(index: ElementTree.Element):
    icons = {element.get("href") for element in index.iter("use")}
    for address in set(loaded_by(index)) - icons:
        assert address.startswith("static/"), address
        name = address.removeprefix("static/")
        file = MAP / Path(name).name if name.startswith("map/") else STATIC / name
        assert file.is_file(), address


def test_every_module_is_loaded_at_once(index: ElementTree.Element):
    named = {
        Path(link.get("href", "")).name for link in index.iter("link") if "js" in link.get("href", "")
    }
    named |= {Path(script.get("src", "")).name for script in index.iter("script")}
    assert named == {path.name for path in SCRIPTS} - FILE_ONLY


def test_ids_are_unique_and_there(index: ElementTree.Element):
    ids = [element.get("id", "") for element in index.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for element in index.iter():
        for name in ("for", "aria-labelledby", "aria-describedby", "list"):
            assert set(element.get(name, "").split()) <= set(ids), element.attrib
        if element.get("href", "").startswith("#") and not element.get("href", "").startswith("#/"):
            assert element.get("href", "")[1:] in ids


def test_scripts_name_elements_and_icons_that_are_there(index: ElementTree.Element):
    ids = {element.get("id") for element in index.iter()}
    for path in SCRIPTS:
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"byId\(\"([\w-]+)\"\)", text):
            assert name in ids, f"{path.name}: {name}"
        for name in re.findall(r"(?:\bbutton|\bicon)\(\"([\w-]+)\"", text):
            assert f"icon-{name}" in ids, f"{path.name}: {name}"


def test_every_field_has_a_name(index: ElementTree.Element):
    named = {label.get("for") for label in index.iter("label")}
    named |= {
        id(field)
        for label in index.iter("label")
        for field in label.iter()
        if field.tag in ("input", "select", "textarea")
    }
    for field in index.iter():
        if field.tag in ("input", "select", "textarea"):
            assert id(field) in named or field.get("id") in named, field.attrib
