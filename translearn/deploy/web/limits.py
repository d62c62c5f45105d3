"""Limits of what a caller may ask of a server. Free of torch and of the web framework."""

from __future__ import annotations

from dataclasses import dataclass

from translearn.errors import fault

MB = 10**6


@dataclass(frozen=True)
class Limits:
    """Limits of a request.

    Attributes:
        max_mb: Its size, 10^6 bytes.
        max_images: Its images.
        max_pixels: The pixels (width times height) of an image; a model may allow less.
        timeout_s: Seconds to receive it, and as many to answer it.
    """

    max_mb: float = 32.0
    max_images: int = 64
    max_pixels: int = 25_000_000
    timeout_s: float = 30.0

    @property
    def max_bytes(self) -> int:
        """The bytes of a request."""
        return int(self.max_mb * MB)


def limit_faults(limits: Limits) -> list[str]:
    """Return a fault for each limit that is not above zero."""
    given = {
        "--max-mb": limits.max_mb,
        "--max-images": limits.max_images,
        "--max-pixels": limits.max_pixels,
        "--timeout": limits.timeout_s,
    }
    return [fault(name, "must be above 0", value, "") for name, value in given.items() if not value > 0]
