"""Addresses on a disk or in an object store, as text: ``runs``, ``s3://bucket/runs?region=eu-west-1``."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from translearn.errors import fault

_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]+://")
_SECRET_OPTION = r"(?:access_?key|secret|token|password|credential|signature)"
# A secret key may hold slashes. `anonymous@` is Google's name for no user.
_USER = r"(://)(?!anonymous@)(?:[^\s/@'\"]+|[^\s/@'\"]+:[^\s@'\"]+)@"
_SECRETS = re.compile(rf"{_USER}|([?&][\w.-]*{_SECRET_OPTION}[\w.-]*=)[^&\s'\"]+", re.IGNORECASE)
SECRETS_REMEDY = (
    "Leave them out: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, or the role of the "
    "machine are read where the storage is used."
)


def is_remote(location: str) -> bool:
    """Return whether a location has a scheme, such as ``s3://``, so is no path of this machine."""
    return bool(_SCHEME.match(location))


def join(location: str, name: str) -> str:
    """Return the address of ``name`` in a folder; options of the folder's address stay at the end.

    >>> join("s3://bucket/runs?region=eu-west-1", "pets")
    's3://bucket/runs/pets?region=eu-west-1'
    """
    place, mark, options = location.partition("?") if is_remote(location) else (location, "", "")
    return f"{place.rstrip('/')}/{name}{mark}{options}"


def split(location: str) -> tuple[str, str]:
    """Return the address of the parent folder, and the name in it: the inverse of ``join``.

    >>> split("s3://bucket/a.pth?region=eu-west-1")
    ('s3://bucket?region=eu-west-1', 'a.pth')
    """
    place, mark, options = location.partition("?") if is_remote(location) else (location, "", "")
    folder, _, name = place.rpartition("/")
    return f"{folder}{mark}{options}", name


def options(location: str) -> dict[str, str]:
    """Return the options behind the ``?`` of an address, by name."""
    return dict(parse_qsl(location.partition("?")[2], keep_blank_values=True))


def without_scheme(location: str) -> str:
    """Return the bucket and the path of an address, without a trailing slash."""
    return location.partition("?")[0].partition("://")[2].rstrip("/")


def has_secrets(location: str) -> bool:
    """Return whether an address holds credentials: a key, a password, a token."""
    return is_remote(location) and masked(location) != location


def secret_fault(where: str, location: str) -> str:
    """Return the fault of an address with secrets, without showing them."""
    return fault(where, "must hold no keys, passwords or tokens", masked(location), SECRETS_REMEDY)


def masked(text: str) -> str:
    """Return a text with ``***`` in place of the credentials in its addresses.

    >>> masked("s3://key:secret@bucket/runs?session_token=abc&region=eu-west-1")
    's3://***@bucket/runs?session_token=***&region=eu-west-1'
    """
    return _SECRETS.sub(lambda found: f"{found[1]}***@" if found[1] else f"{found[2]}***", text)
