"""What Ray reads when it is imported, so that it has to be there before."""

from __future__ import annotations

import os
import secrets


def prepare_environment() -> None:
    """The drill's cluster asks for a token of its own."""
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
