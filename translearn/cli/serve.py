"""``translearn serve``."""

from __future__ import annotations

import argparse
import signal
import threading
from typing import Any

from translearn.cli.options import Commands, add_json, quiet
from translearn.deploy.web.limits import Limits


def add(commands: Commands) -> None:
    """Add the command."""
    serve = commands.add_parser("serve", help="a trained model behind HTTP, with a page to try it on")
    serve.set_defaults(do=_serve)
    serve.add_argument("model", metavar="MODEL", help="a study's model/, or the study's directory")
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on; default: this machine only")
    serve.add_argument("--port", type=int, default=8000)
    serve.add_argument("--replicas", type=int, default=2, metavar="N", help="how many times the model is loaded")
    serve.add_argument("--max-mb", type=float, default=Limits.max_mb, metavar="MB", help="the most of a request")
    serve.add_argument("--max-images", type=int, default=Limits.max_images, metavar="N", help="the most of a request")
    serve.add_argument("--max-pixels", type=int, default=Limits.max_pixels, metavar="N", help="the most of an image")
    serve.add_argument(
        "--timeout", type=float, default=Limits.timeout_s, metavar="S", help="seconds for a request to arrive, and then"
    )
    add_json(serve)


def _serve(options: argparse.Namespace) -> dict[str, Any]:
    quiet()
    from translearn.deploy.web.request import check_serve

    limits = Limits(options.max_mb, options.max_images, options.max_pixels, options.timeout)
    request = check_serve(options.model, options.host, options.port, options.replicas, limits)
    from translearn.cluster.serving.server import serving

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with serving(request) as metrics:
        what = f"{request.folder.uri}, {request.info.arch} with {len(request.info.classes)} classes"
        print(f"Serving {what}, on {request.url}/", flush=True)
        print(
            f"POST images to {request.url}/predict. Prometheus metrics: {', '.join(metrics)}. Ctrl-C ends it.",
            flush=True,
        )
        ended.wait()
    return {"url": request.url}
