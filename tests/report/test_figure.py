from __future__ import annotations

import xml.etree.ElementTree as ET

from matplotlib.figure import Figure

from translearn.report.plots.figure import MUTED, colours, draw

TEXTS = ["a$b$", "<b>&", 'id="x"', "漢字", "_hidden"]


def paint(figure: Figure) -> None:
    axes = figure.add_subplot()
    axes.plot((0, 1), (0, 1))
    axes.set_yticks(range(len(TEXTS)), TEXTS)


def test_text_is_kept_as_it_is(recwarn):
    root = ET.fromstring(draw("one", (4, 3), paint))
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert set(TEXTS) <= texts
    assert not recwarn.list


def test_equal_input_gives_equal_bytes_and_ids_of_its_own():
    one, again, other = (draw(name, (4, 3), paint) for name in ("one", "one", "other"))
    assert one == again
    assert not ids(one) & ids(other)


def ids(svg: str) -> set[str]:
    return {element.attrib["id"] for element in ET.fromstring(svg).iter() if "id" in element.attrib}


def test_references_point_to_ids_that_are_there():
    svg = draw("one", (4, 3), paint)
    root = ET.fromstring(svg)
    uses = {element.attrib["{http://www.w3.org/1999/xlink}href"][1:] for element in root.iter() if is_use(element)}
    clips = {e.attrib["clip-path"][5:-1] for e in root.iter() if "clip-path" in e.attrib}
    assert uses
    assert clips
    assert uses | clips <= ids(svg)


def is_use(element: ET.Element) -> bool:
    return element.tag.endswith("}use")


def test_scratch_is_grey_and_sources_differ():
    found = colours(["birds", "scratch", "maps", "scratch-vgg11_bn", "birds"])
    assert found["scratch"] == found["scratch-vgg11_bn"] == MUTED
    assert len({found["birds"], found["maps"], MUTED}) == 3
    assert list(found) == ["birds", "scratch", "maps", "scratch-vgg11_bn"]
