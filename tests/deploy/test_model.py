"""A loaded model: its classes and probabilities, from every form of image, and its refusals."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from deploy_cases import CLASSES
from PIL import Image
from scipy.special import softmax
from sources import image, write_files

import translearn
from translearn.data.images.decode import decode_image
from translearn.data.images.image_set import ImageSet
from translearn.deploy.classifier import Classifier
from translearn.errors import InputError, WeightsError
from translearn.evaluation.predictions import Predictions as Evaluated
from translearn.evaluation.temperature import scaled
from translearn.training.inference import probabilities


@pytest.fixture(scope="module")
def model(model_path):
    return translearn.load_model(model_path, device="cpu")


def test_probabilities_are_those_of_evaluation_at_the_models_temperature(model):
    pixels = np.stack([model.preprocess(image(number, 40)) for number in range(100)])  # more than a batch
    labels, keys = np.zeros(100, dtype=np.int64), np.arange(100, dtype=np.uint64)
    plain = probabilities(model.network, ImageSet(pixels, labels, keys), "fp32", torch.device("cpu"))
    expected = scaled(Evaluated("transfer", 0, plain, labels), 0.25).probabilities
    found = model.predict([image(number, 40) for number in range(100)])
    assert found.probabilities.dtype == np.float32
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-6)
    assert found.classes == [CLASSES[index] for index in plain.argmax(1)]
    assert len(set(found.classes)) > 1


def test_a_classifier_normalises_divides_by_the_temperature_and_takes_softmax():
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)
    classifier = Classifier(torch.nn.Flatten(), (0.0, 0.2, 0.5), (1.0, 0.5, 0.25), temperature=2.0)
    expected = softmax(np.array([0.0, 0.0, 2.0]) / 2)
    np.testing.assert_allclose(classifier(pixels)[0].numpy(), expected, atol=1e-6)
    assert Classifier(torch.nn.Flatten(), (0.0,) * 3, (1.0,) * 3).temperature == 1.0


def test_every_form_of_an_image_gives_the_same_pixels(model, tmp_path):
    content = image(7, 40)
    write_files(tmp_path, {"a.png": content})
    opened = Image.open(io.BytesIO(content))
    forms = [tmp_path / "a.png", str(tmp_path / "a.png"), content, opened, np.asarray(opened)]
    expected = decode_image(content, 32)
    assert all(np.array_equal(model.preprocess(form), expected) for form in forms)
    assert np.array_equal(model.preprocess(expected), expected)
    found = model.predict(forms)
    assert found.ids == (str(tmp_path / "a.png"),) * 2 + ("images[2]", "images[3]", "images[4]")
    assert len(np.unique(found.probabilities, axis=0)) == 1


def test_arrays_of_grey_16_bits_and_with_transparency(model):
    assert np.array_equal(model.preprocess(np.full((9, 5), 257 * 100, np.uint16)), np.full((32, 32, 3), 100))
    assert np.array_equal(model.preprocess(np.zeros((9, 5, 4), np.uint8)), np.full((32, 32, 3), 255))


def test_one_image_and_none(model):
    assert len(model.predict(image(1))) == 1
    assert model.predict([]).probabilities.shape == (0, 3)
    assert model.predict([]).to_arrow().num_rows == 0


def test_every_image_that_cannot_be_read_is_named(model, tmp_path):
    write_files(tmp_path, {"text.png": b"no image", "good.png": image(1)})
    images = [tmp_path / "good.png", tmp_path / "text.png", tmp_path / "gone.png", np.zeros((2, 2, 3)), b""]
    with pytest.raises(InputError) as error:
        model.predict(images)
    text, gone, array, empty = str(error.value).splitlines()
    formats = "BMP, GIF, JPEG, PNG, PPM, TIFF, WEBP"
    rule = "must be an image that can be read, but got one that"
    assert text == f"{tmp_path}/text.png: {rule} is not an image in one of the formats {formats}."
    assert gone == f"{tmp_path}/gone.png: {rule} does not exist."
    assert array == (
        "images[3]: must be uint8 of shape (H, W), (H, W, 3) or (H, W, 4), or uint16 of shape (H, W), but got float64 "
        "(2, 2, 3). Give a list of images, not a batch, and scale floats to 0..255."
    )
    assert empty == f"images[4]: {rule} is not an image in one of the formats {formats}."


def test_a_studys_directory_is_its_model(model, model_path):
    assert translearn.load_model(model_path.parent).info == model.info
    assert model.classes == CLASSES


def test_a_place_without_a_model(tmp_path: Path):
    with pytest.raises(WeightsError) as error:
        translearn.load_model(tmp_path / "pets")
    assert str(error.value) == (
        f"{tmp_path}/pets: must be a finished model directory, but got no readable model.json. "
        "Let its training finish, or give another directory."
    )
