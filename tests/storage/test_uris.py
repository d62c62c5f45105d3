"""Addresses are joined and split without losing their options, and show no secrets."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

import translearn.storage.uris
from translearn.config import parse_spec
from translearn.errors import SpecError
from translearn.storage.uris import has_secrets, is_remote, join, masked, options, split, without_scheme

NAMES = st.text("abc.-_0", min_size=1, max_size=8)
PLACES = st.builds("/".join, st.lists(NAMES, min_size=1, max_size=4))
QUERIES = st.sampled_from(["", "?region=eu-west-1", "?scheme=http&endpoint_override=http://127.0.0.1:9000"])
ADDRESSES = st.builds(lambda start, place, query: f"{start}{place}{query}", st.just("s3://"), PLACES, QUERIES)


def test_the_examples() -> None:
    assert doctest.testmod(translearn.storage.uris).failed == 0


@given(ADDRESSES | PLACES.map("/{}".format), NAMES)
def test_splitting_undoes_joining(address: str, name: str) -> None:
    joined = join(address, name)
    assert split(joined) == (address, name)
    assert options(joined) == options(address)
    assert is_remote(joined) == is_remote(address)


@given(ADDRESSES)
def test_an_address_without_secrets_is_shown_as_it_is(address: str) -> None:
    assert masked(address) == address
    assert not has_secrets(address)


def test_a_mark_in_a_local_path_begins_no_options() -> None:
    assert join("what?", "name") == "what?/name"
    assert split("/what?/name") == ("/what?", "name")


@pytest.mark.parametrize(
    "address",
    [
        "s3://AKIA:{}@bucket/x",
        "s3://bucket/x?region=eu-west-1&secret_key={}",
        "s3://bucket/x?access_key={}",
        "s3://bucket/x?X-Amz-Signature={}",
        "s3://bucket/x?endpoint_override=http://user:{}@host:9000",
        "https://host/x?token={}",
    ],
)
@pytest.mark.parametrize("secret", ["s3cr3t", "with/a+slash", "with%2Fescapes"])
def test_secrets_are_found_and_never_shown(address: str, secret: str) -> None:
    whole = address.format(secret)
    assert has_secrets(whole)
    assert secret not in masked(whole)
    assert secret not in masked(f"error: {whole!r} and {whole} are bad")


def test_a_user_alone_is_a_secret_too() -> None:
    assert masked("s3://AKIA@bucket/x") == "s3://***@bucket/x"


def test_nobody_at_google_is_no_secret() -> None:
    assert not has_secrets("gs://anonymous@bucket/x")
    assert without_scheme("s3://bucket/a/b/?region=x") == "bucket/a/b"


def tree_with(**cluster: object) -> dict[str, object]:
    source = {"name": "a", "arch": "resnet18", "weights": "DEFAULT"}
    return {"name": "pets", "target": {"data": "data/pets"}, "sources": [source], "cluster": cluster}


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1:5000", "https://host/mlflow", "databricks", "databricks://team", "sqlite:///mlflow.db"],
)
def test_a_tracking_address_is_taken_as_it_is(address: str) -> None:
    mlflow = parse_spec(tree_with(trackers={"mlflow": {"tracking_uri": address}})).cluster.trackers.mlflow
    assert mlflow
    assert mlflow.tracking_uri == address


@pytest.mark.parametrize(
    ("address", "line"),
    [
        (
            "https://me:hidden@host:5000",
            "cluster.trackers.mlflow.tracking_uri: must hold no keys, passwords or tokens, but got "
            "'https://***@host:5000'. Leave them out: "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, are read from the "
            "environment.",
        ),
        (
            "HTTP://me:hidden@host",
            "cluster.trackers.mlflow.tracking_uri: must be the tracking address of an MLflow server, but got "
            "'HTTP://***@host'. For example "
            "http://127.0.0.1:5000.",
        ),
        (
            "mlruns",
            "cluster.trackers.mlflow.tracking_uri: must be the tracking address of an MLflow server, but got 'mlruns'. "
            "For example "
            "http://127.0.0.1:5000.",
        ),
    ],
)
def test_another_tracking_address_is_refused(address: str, line: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_spec(tree_with(trackers={"mlflow": {"tracking_uri": address}}))
    assert str(caught.value) == line


@pytest.mark.parametrize(
    "field", ["storage", "target.data", "sources.0.checkpoint", "search.warm_start", "sources.1.pretrain.data"]
)
def test_a_study_file_with_secrets_is_refused_without_showing_them(field: str) -> None:
    tree = {
        "name": "pets",
        "target": {"data": "data/pets"},
        "sources": [
            {"name": "a", "arch": "resnet18", "checkpoint": "a.pth"},
            {"name": "b", "arch": "resnet18", "pretrain": {"data": "data/birds"}},
        ],
        "search": {},
    }
    node: object = tree
    *parents, last = [int(part) if part.isdecimal() else part for part in field.split(".")]
    for part in parents:
        node = node[part]  # type: ignore[index]
    node[last] = "s3://AKIA:hidden@bucket/x.pth"  # type: ignore[index]
    with pytest.raises(SpecError) as caught:
        parse_spec(tree)
    assert str(caught.value) == (
        f"{field}: must hold no keys, passwords or tokens, but got 's3://***@bucket/x.pth'. Leave them out: "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, or the role of the machine are "
        "read where the storage is used."
    )
