"""matplotlib's SVG made fit for a page: small, described, traceable, safe to put inline, right in light and dark."""

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from scalestudy.report.palette import VARIABLES
from scalestudy.report.wording import few

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_FONTS = "-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Noto Sans','Liberation Sans',Arial,sans-serif"
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?|-?\d+e-?\d+")
_COLOUR = re.compile("|".join(VARIABLES))
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_HIT_RADIUS = 7.0

ET.register_namespace("", _SVG)
ET.register_namespace("xlink", _XLINK)


@dataclass(frozen=True)
class Mark:
    """One drawn number: the id of its group in the figure, what it says, and the runs that it comes from.

    `series` is the key of the line that it belongs to. `kind`: mark; part (says nothing itself, stands out with its
    series); name (the series' name). `notes` are what the vertices of a line say, in order: then it is a track.
    """

    id: str
    text: str
    runs: tuple[str, ...]
    series: str = ""
    kind: str = "mark"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Description:
    """What a figure is and says, kept inside its SVG file: the page and the Markdown read it from there."""

    name: str
    title: str
    alt: str
    caption: str
    runs: tuple[str, ...]
    missing: str = ""


def finish(text: str, description: Description, marks: Iterable[Mark]) -> str:
    """Return the SVG of a figure's file: `text` as matplotlib wrote it, made smaller, described and traceable."""
    root = ET.fromstring(_without_doctype(text))
    _strip(root)
    _mark(root, {mark.id: mark for mark in marks})
    _drop_unused_ids(root)
    for number, (tag, content) in enumerate(
        (
            ("title", description.title),
            ("desc", description.alt),
            ("metadata", json.dumps(asdict(description))),
        )
    ):
        element = ET.Element(f"{{{_SVG}}}{tag}")
        element.text = _FORBIDDEN.sub("\ufffd", content)
        root.insert(number, element)
    root.set("role", "img")
    root.set("style", f"font-family:{_FONTS};stroke-linejoin:round;stroke-linecap:butt")
    _without_space(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def describe(text: str) -> Description:
    """Return the description that `finish` put into a figure's file."""
    element = ET.fromstring(text).find(f"{{{_SVG}}}metadata")
    assert element is not None
    fields = json.loads(element.text or "{}")
    return Description(**{**fields, "runs": tuple(fields["runs"])})


def inline(text: str, prefix: str) -> str:
    """Return a figure's SVG as an element for a page: ids made unique by `prefix`, colours as CSS variables.

    Its title becomes its label (as an element, browsers would show it wherever one points), its `desc` the description.
    """
    root = ET.fromstring(text)
    if (metadata := root.find(f"{{{_SVG}}}metadata")) is not None:
        root.remove(metadata)
    title, described = (root.find(f"{{{_SVG}}}{tag}") for tag in ("title", "desc"))
    assert title is not None
    assert described is not None
    root.set("aria-label", title.text or "")
    root.remove(title)
    described.set("id", "desc")
    root.set("aria-describedby", "desc")
    root.set("style", "stroke-linejoin:round;stroke-linecap:butt")
    for name in ("width", "height"):
        root.attrib.pop(name, None)
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name == "id" or name == "aria-describedby":
                element.set(name, f"{prefix}-{value}")
            elif name == f"{{{_XLINK}}}href":
                del element.attrib[name]
                element.set("href", f"#{prefix}-{value[1:]}" if value.startswith("#") else value)
            elif "url(#" in value:
                element.set(name, value.replace("url(#", f"url(#{prefix}-"))
            elif name == "style":
                element.set(name, _COLOUR.sub(lambda hit: f"var({VARIABLES[hit[0]]})", value))
    root.set("class", "chart")
    return ET.tostring(root, encoding="unicode")


def view_width(text: str) -> float:
    """Return the width of the figure's view box in points."""
    found = re.search(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+)', text)
    assert found
    return float(found[1])


def _without_doctype(text: str) -> str:
    """Return `text` without its document type and without the control letters that XML forbids."""
    return _FORBIDDEN.sub("\ufffd", re.sub(r"<!DOCTYPE[^>]*>", "", text, count=1))


def _strip(root: ET.Element) -> None:
    """Take out what says nothing: metadata, the style sheet, invisible shapes, font names, digits beyond sight."""
    for parent in list(root.iter()):
        for child in list(parent):
            tag = child.tag.rpartition("}")[2]
            style = child.get("style", "").replace(" ", "")
            if (
                tag == "metadata"
                or (tag == "defs" and child.find(f"{{{_SVG}}}style") is not None)
                or (tag == "path" and style in ("fill:none", "opacity:0;fill:none"))
            ):
                parent.remove(child)
    for element in root.iter():
        if element.tag == f"{{{_SVG}}}text":
            element.set("style", re.sub(r"font-family:[^;]*(;|$)", "", element.get("style", "")))
        for name, value in list(element.attrib.items()):
            if name in ("d", "x", "y", "width", "height", "transform", "points", "cx", "cy", "r"):
                short = _NUMBER.sub(lambda hit: _short(hit[0]), " ".join(value.split()))
                if name == "transform" and re.fullmatch(r"rotate\(-?0( [-\d.]+)*\)", short):
                    del element.attrib[name]
                else:
                    element.set(name, short)
            elif name == "style":
                element.set(name, re.sub(r"\s*([:;,])\s*", r"\1", value).strip(" ;"))


def _short(number: str) -> str:
    text = f"{float(number):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _mark(root: ET.Element, marks: dict[str, Mark]) -> None:
    """Give each marked group its title, its runs, and an area that a pointer finds."""
    for group in root.iter(f"{{{_SVG}}}g"):
        mark = marks.get(group.get("id", ""))
        if mark is None:
            continue
        del group.attrib["id"]
        if mark.series:
            group.set("data-series", mark.series)
        if mark.kind == "part":
            continue
        group.set("class", "mark track" if mark.notes else mark.kind)
        if mark.runs:
            group.set("data-runs", " ".join(mark.runs))
        if mark.notes:
            group.set("data-notes", _FORBIDDEN.sub("\ufffd", "\n".join(mark.notes)))
            continue
        if mark.kind == "name":
            group.set("data-label", _FORBIDDEN.sub("\ufffd", mark.text))
            continue
        title = ET.Element(f"{{{_SVG}}}title")
        title.text = "\n".join((_FORBIDDEN.sub("\ufffd", mark.text), *few(mark.runs)))
        group.insert(0, title)
        for use in list(group.iter(f"{{{_SVG}}}use")):
            area = ET.SubElement(group, f"{{{_SVG}}}circle")
            area.set("cx", use.get("x", "0"))
            area.set("cy", use.get("y", "0"))
            area.set("r", f"{_HIT_RADIUS:g}")
            area.set("style", "fill-opacity:0")


def _drop_unused_ids(root: ET.Element) -> None:
    text = ET.tostring(root, encoding="unicode")
    used = set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))
    for element in root.iter():
        if element.get("id") is not None and element.get("id") not in used:
            del element.attrib["id"]


def _without_space(root: ET.Element) -> None:
    for element in root.iter():
        if element.tag.rpartition("}")[2] not in ("text", "title", "desc", "metadata"):
            element.text = None
        element.tail = None
