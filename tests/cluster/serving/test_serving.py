"""The front of a served model, without a Ray: replicas that end, and too many requests."""

from __future__ import annotations

import pytest
from deploy_cases import made_model
from ray.exceptions import ActorDiedError
from sources import image
from web_cases import call

import translearn
from translearn.deploy.web.answer import Answer
from translearn.deploy.web.limits import Limits

pytest.importorskip("fastapi", reason="the extra serve is not installed")
ANSWER = Answer((0.5, 0.25, 0.25))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return made_model(tmp_path_factory.mktemp("served") / "model")


class Handle:
    """Replicas, of which the first so many end with the request."""

    def __init__(self, num_ending: int) -> None:
        self.num_ending, self.num_calls = num_ending, 0

    async def remote(self, contents: list[bytes], with_pictures: bool) -> list[Answer]:
        self.num_calls += 1
        if self.num_calls <= self.num_ending:
            raise ActorDiedError
        return [ANSWER] * len(contents)


@pytest.mark.parametrize(("num_ending", "status", "num_calls"), [(0, 200, 1), (1, 200, 2), (5, 503, 2)])
def test_a_request_whose_replica_ends_goes_to_one_other(path, num_ending, status, num_calls):
    from translearn.cluster.serving.front import Front

    handle = Handle(num_ending)
    front = Front(handle, translearn.load_model(path, device="cpu").info, Limits())
    reply = call(front.__serve_build_asgi_app__(), "POST", "/predict", [image(1)])
    assert (reply.status, handle.num_calls) == (status, num_calls)
    if status == 503:
        assert reply.json == {"error": "the replicas that had the request ended; try later"}


def test_too_many_requests_are_refused(path):
    from ray.serve.exceptions import BackPressureError

    from translearn.cluster.serving.front import Front

    class Full:
        async def remote(self, *_: object) -> None:
            raise BackPressureError(num_queued_requests=9, max_queued_requests=9)

    front = Front(Full(), translearn.load_model(path, device="cpu").info, Limits())
    reply = call(front.__serve_build_asgi_app__(), "POST", "/predict", [image(1)])
    assert (reply.status, reply.json) == (503, {"error": "too many requests wait; try later"})


def test_an_application_allows_no_more_pixels_than_its_model(path):
    from ray import serve

    from translearn.cluster.serving.application import build

    assert isinstance(build({"model": str(path), "limits": Limits(max_pixels=5), "replicas": 3}), serve.Application)
