"""File systems of addresses: pyarrow's, with timeouts and retries that bridge a minute without an answer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs

from translearn.errors import StorageError, fault, raise_faults
from translearn.storage.uris import has_secrets, masked, options, secret_fault, without_scheme

_S3_OPTIONS = ("region", "scheme", "endpoint_override", "tls_ca_file_path")
_CONNECT_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Patience:
    """Timeouts and retries of requests to a storage that does not answer, or answers with an error.

    Attributes:
        retries: The number of retries: the first at once, then after 0.05, 0.1, 0.2, ... seconds.
        silence_s: Seconds without a byte until an attempt times out.
    """

    retries: int
    silence_s: float

    @property
    def waits_s(self) -> float:
        """The seconds between the first attempt and the last, where each fails at once."""
        return float(0.05 * (2 ** (self.retries - 1) - 1))


#: For work: 102 s.
PATIENT = Patience(retries=12, silence_s=10.0)
#: For a first check, which must fail soon where there is no server: 1.6 s.
HASTY = Patience(retries=6, silence_s=3.0)


class S3(pafs.S3FileSystem):
    """pyarrow's S3 file system that keeps its patience when it is pickled."""

    def __init__(self, patience: Patience, **settings: Any) -> None:
        strategy = pafs.AwsDefaultS3RetryStrategy(max_attempts=patience.retries)
        super().__init__(retry_strategy=strategy, **settings)
        self._patience = patience

    def __reduce__(self) -> tuple[Any, ...]:
        _, (settings,) = super().__reduce__()
        return _s3_again, (self._patience, settings)


def _s3_again(patience: Patience, settings: dict[str, Any]) -> S3:
    return S3(patience, **settings)


def open_file_system(address: str, patience: Patience = PATIENT) -> tuple[pafs.FileSystem, str]:
    """Open the file system of an address with a scheme; return it and the path on it.

    Args:
        address: ``s3://``, ``gs://``, ``file://``, or another that pyarrow knows.
        patience: Timeouts and retries for an object store.

    Raises:
        StorageError: The address is malformed, or holds secrets, which it must not.
    """
    if has_secrets(address):
        raise StorageError(secret_fault("storage", address))
    try:
        if address.startswith("s3://"):
            return _open_s3(address, patience)
        fs, path = pafs.FileSystem.from_uri(_with_limit(address, patience))
        return fs, path
    except (pa.ArrowException, OSError, ValueError) as error:
        rule = "must be a local path or an s3:// or gs:// address"
        raise StorageError(fault("storage", rule, address, f"({masked(str(error))})")) from error


def _open_s3(address: str, patience: Patience) -> tuple[pafs.FileSystem, str]:
    given, path = options(address), without_scheme(address)
    raise_faults([_unknown(name) for name in given if name not in _S3_OPTIONS], StorageError)
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    given = {**({"endpoint_override": endpoint} if endpoint else {}), **given}
    given.setdefault("region", _region(path.partition("/")[0], given))
    timeouts = {"connect_timeout": _CONNECT_TIMEOUT_S, "request_timeout": patience.silence_s}
    # A small file is then one request, so that it is there whole or not at all.
    return S3(patience, allow_delayed_open=True, **timeouts, **given), path


def _unknown(name: str) -> str:
    rule = f"must have options out of {', '.join(_S3_OPTIONS)}"
    return fault("storage", rule, repr(name), "For example s3://bucket/studies?region=eu-west-1.")


def _region(bucket: str, given: dict[str, str]) -> str:
    """Return the region of a bucket. Only Amazon can be asked; other servers accept the region of the key."""
    if "endpoint_override" in given:
        return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    return str(pafs.resolve_s3_region(bucket))


def _with_limit(address: str, patience: Patience) -> str:
    """Add the time limit of the patience to an address of Google's, whose client takes no number of retries."""
    if not address.startswith(("gs://", "gcs://")) or "retry_limit_seconds" in options(address):
        return address
    return f"{address}{'&' if '?' in address else '?'}retry_limit_seconds={patience.waits_s:.0f}"
