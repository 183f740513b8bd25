"""Build standalone HTML pages with the standard library's ElementTree, which escapes all text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

#: Child of an element; None is ignored.
Child = ElementTree.Element | str | None

#: HTML does not allow control characters; each is replaced by its picture (U+2400 and following).
_CONTROL_PICTURES = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"}
_CONTROL_PICTURES |= {0x7F: 0x2421, **dict.fromkeys(range(0x80, 0xA0), 0xFFFD)}

#: The page loads nothing and runs no scripts.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def element(tag: str, *children: Child, **attributes: object) -> ElementTree.Element:
    """Return an element.

    Parameters
    ----------
    tag : str
    *children : Element, str or None
    **attributes
        Values are converted to text; None omits the attribute. A trailing underscore of a name is
        removed (``class_``), others become hyphens (``stroke_width``).
    """
    made = ElementTree.Element(
        tag,
        {
            name.rstrip("_").replace("_", "-"): cleaned(str(value))
            for name, value in attributes.items()
            if value is not None
        },
    )
    last: ElementTree.Element | None = None
    for child in children:
        if isinstance(child, ElementTree.Element):
            made.append(child)
            last = child
        elif child is not None:
            text = cleaned(child)
            if last is None:
                made.text = (made.text or "") + text
            else:
                last.tail = (last.tail or "") + text
    return made


def svg_line(x1: float, y1: float, x2: float, y2: float, **more: object) -> ElementTree.Element:
    """Return a line of an SVG."""
    return element("line", x1=f"{x1:g}", y1=f"{y1:g}", x2=f"{x2:g}", y2=f"{y2:g}", **more)


def svg_text(text: str, x: float, y: float, anchor: str, **more: object) -> ElementTree.Element:
    """Return a text of an SVG; `anchor` is ``start``, ``middle`` or ``end``."""
    return element("text", text, x=f"{x:g}", y=f"{y:g}", text_anchor=anchor, **more)


def cleaned(text: str) -> str:
    r"""Replace control characters with visible ones.

    Examples
    --------
    >>> cleaned("a\x00b")
    'a␀b'
    """
    return text.translate(_CONTROL_PICTURES)


def table(
    caption: str, header: Sequence[Child], rows: Iterable[Sequence[Child]], numbers: bool = True
) -> ElementTree.Element:
    """Return a table whose first column has the names of the rows.

    Parameters
    ----------
    caption : str
    header : sequence of Child
    rows : iterable of sequences of Child
    numbers : bool
        Align all columns except the first to the right.
    """
    head = element("tr", *(element("th", cell, scope="col") for cell in header))
    body = [
        element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in others))
        for first, *others in rows
    ]
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", head),
            element("tbody", *body),
            class_="numbers" if numbers else None,
        ),
        class_="wide",
    )


def page(title: str, style: str, *body: Child) -> str:
    """Return an HTML document.

    Parameters
    ----------
    title : str
    style : str
        CSS, which is not escaped: must be a constant.
    *body : Child
    """
    root = element(
        "html",
        element(
            "head",
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            # Prevents a request for a favicon.
            element("link", rel="icon", href="data:,"),
            element("title", title),
            element("style", style),
        ),
        element("body", *body),
        lang="en",
    )
    return "<!DOCTYPE html>\n" + ElementTree.tostring(root, encoding="unicode", method="html") + "\n"
