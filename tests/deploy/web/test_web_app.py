"""Requests to the web application and its answers: images, hostile ones, limits, the page."""

from __future__ import annotations

import asyncio
import base64
import io
import re
import zlib
from dataclasses import replace

import numpy as np
import pytest
from deploy_cases import CLASSES
from hostile_images import OTHERS, chunk, png, saved, tags
from PIL import Image
from sources import image
from web_cases import call, form, predictor

import translearn
from translearn.data.images.decode import decode_image
from translearn.data.images.pixels import FORMATS
from translearn.deploy.web.app import BusyError, build_app
from translearn.deploy.web.limits import Limits, limit_faults

NO_IMAGE = "must hold an image, as the body itself or as files of a multipart form"
LIMITS = Limits(max_mb=0.2, max_images=3, timeout_s=0.3)


@pytest.fixture(scope="module")
def model(model_path):
    return translearn.load_model(model_path, device="cpu")


@pytest.fixture(scope="module")
def app(model):
    return build_app(predictor(model), model.info, LIMITS)


def test_one_image_as_the_body(app, model):
    reply = call(app, "POST", "/predict", [image(1, 40)])
    (row,) = reply.json["predictions"]
    expected = model.predict(image(1, 40))
    assert reply.status == 200
    assert row["name"] is None
    assert row["class"] == expected.classes[0]
    assert list(row["probabilities"]) == [name for name, _ in expected.top(3)[0]]
    np.testing.assert_allclose(list(row["probabilities"].values()), np.sort(expected.probabilities[0])[::-1], rtol=1e-5)
    assert row["probability"] == row["probabilities"][row["class"]]


def test_several_images_in_a_form_with_pictures(app):
    body, kind = form({"a.png": image(1, 40), "b <i>.png": image(2, 40)})
    reply = call(app, "POST", "/predict?top=2&picture=1", body, content_type=kind)
    rows = reply.json["predictions"]
    assert [row["name"] for row in rows] == ["a.png", "b <i>.png"]
    assert [len(row["probabilities"]) for row in rows] == [2, 2]
    picture = base64.b64decode(rows[1]["picture"].removeprefix("data:image/png;base64,"))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(picture))), decode_image(image(2, 40), 32))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_taken(app, kind):
    assert call(app, "POST", "/predict", [saved(kind)]).status == 200


HOSTILE = {
    **OTHERS,
    "text without end": png(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(50_000_000)))),
    "scans without end": (lambda one: one[:-2] + one[one.rindex(b"\xff\xda") : -2] * 2000 + one[-2:])(
        saved("JPEG", progressive=True)
    ),
    "a TIFF directory that is itself": tags((0x8769, 4, 1, 8), (0x0112, 3, 1, 1)),
    "half an image": image(1, 40)[:200],
    "text": b"no image",
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_image_is_refused(app, content):
    reply = call(app, "POST", "/predict", [content])
    assert reply.status == 422
    assert reply.json["error"].startswith("image 1: ")
    assert len(reply.body) < 1000


def test_every_image_that_cannot_be_read_is_named(app):
    body, kind = form({"a.png": b"text", "b.png": image(2), "c.png": image(1)[:100]})
    reply = call(app, "POST", "/predict", body, content_type=kind)
    first, second = reply.json["faults"]
    assert reply.status == 422
    assert first == "a.png: is not an image in one of the formats BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP"
    assert second.startswith("c.png: cannot be decoded (")
    assert reply.json["error"] == f"{first}; {second}"


def test_too_many_pixels(model):
    preprocessing = model.info.preprocessing.model_copy(update={"max_pixels": 62})
    info = model.info.model_copy(update={"preprocessing": preprocessing})
    small = build_app(predictor(type(model)(model.network, info)), info, LIMITS)
    reply = call(small, "POST", "/predict", [saved("PNG")])
    assert (reply.status, reply.json["error"]) == (422, "image 1: has 63 pixels, more than max_pixels, 62")


def test_a_request_that_is_too_large_is_refused_before_it_is_read(app):
    at_once = call(app, "POST", "/predict", [b"never read"], content_length="400001")
    on_the_way = call(app, "POST", "/predict", [bytes(250_000), bytes(250_000), b"never read"])
    a_little = call(app, "POST", "/predict", [bytes(150_000), bytes(150_000)])  # read to its end, for its caller's sake
    for reply in (at_once, on_the_way, a_little):
        assert (reply.status, reply.json) == (413, {"error": "must have at most 0.2 MB"})
        assert reply.headers["connection"] == "close"


def test_a_request_that_does_not_end_is_refused(app):
    reply = call(app, "POST", "/predict", [b"a"], ends=False)
    assert (reply.status, reply.json["error"]) == (408, "the request must arrive within 0.3 s")


@pytest.mark.parametrize(
    ("target", "parts", "kind", "error"),
    [
        ("/predict", [b""], "", NO_IMAGE),
        ("/predict", *form({}), NO_IMAGE),
        ("/predict", [b"x"], "multipart/form-data", "must be a multipart form (Missing boundary in multipart.)"),
        ("/predict", [b"x"], "multipart/form-data; boundary=y", "must be a multipart form ("),
        ("/predict", *form({f"{n}.png": image(n) for n in range(4)}), "must be a multipart form (Too many files. "),
        ("/predict?top=4", [image(1)], "", "top must be a whole number from 1 to 3"),
        ("/predict?top=1e9", [image(1)], "", "top must be a whole number from 1 to 3"),
        ("/predict?picture=yes", [image(1)], "", "picture must be a whole number from 0 to 1"),
    ],
)
def test_a_request_that_is_malformed(app, target, parts, kind, error):
    reply = call(app, "POST", target, parts, content_type=kind)
    assert reply.status == 400
    assert reply.json["error"].startswith(error)


def test_a_server_that_is_busy_or_slow(model):
    async def busy(*_):
        raise BusyError("too many requests wait")

    async def slow(*_):
        await asyncio.sleep(60)

    told = [
        call(build_app(predict, model.info, replace(LIMITS, timeout_s=0.05)), "POST", "/predict", [image(1)])
        for predict in (busy, slow)
    ]
    assert [reply.status for reply in told] == [503, 503]
    assert told[0].json["error"] == "too many requests wait; try later"
    assert told[1].json["error"] == "took longer than 0.05 s; try later, or with fewer images"


def test_the_page_loads_nothing_from_elsewhere_and_says_of_what_model(app):
    page, script = call(app, "GET", "/"), call(app, "GET", "/page.js")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(rb"https?://", page.body + script.body)
    assert call(app, "GET", "/model").json == {"arch": "resnet18", "classes": list(CLASSES), "image_size": 32}
    assert [call(app, *other).status for other in (("GET", "/predict"), ("GET", "/other"))] == [405, 404]


def test_limits_are_above_zero():
    assert limit_faults(Limits(max_mb=0, max_images=-1, max_pixels=1, timeout_s=float("nan"))) == [
        "--max-mb: must be above 0, but got 0.",
        "--max-images: must be above 0, but got -1.",
        "--timeout: must be above 0, but got nan.",
    ]
