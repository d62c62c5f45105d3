"""Options of ingestion."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from translearn.data.images.large import MAX_PIXELS
from translearn.data.ingest.groups import pattern_faults
from translearn.errors import fault


@dataclass(frozen=True)
class IngestOptions:
    """Options of ingestion.

    Attributes:
        split: Fractions of train, val and test where the source does not say; they sum to 1.
        max_bad_fraction: The largest part of the images, in [0, 1], that may be bad.
        drop_leaks: Leave out training images that are duplicates of val or test images, exact or near, or whose group
            is there.
        limit_per_class: At most so many images of each class and split; None for all.
        max_pixels: The most pixels (width times height) of an image.
        group: A regular expression that finds an image's group in its id; see ``groups.with_groups``. None for the
            groups that the source has.
        root: The folder of torchvision's data sets; None for the default.
    """

    split: tuple[float, float, float] = (0.7, 0.15, 0.15)
    max_bad_fraction: float = 0.01
    drop_leaks: bool = False
    limit_per_class: int | None = None
    max_pixels: int = MAX_PIXELS
    group: str | None = None
    root: str | None = None

    def recorded(self) -> dict[str, Any]:
        """Return the options that a manifest records: all but paths of this machine, as JSON values."""
        return {key: value for key, value in (asdict(self) | {"split": list(self.split)}).items() if key != "root"}

    def faults(self) -> list[str]:
        """Return a line for each broken rule."""
        faults = []
        if abs(sum(self.split) - 1) > 1e-6 or min(self.split) < 0:
            rule = "must be three fractions (train, val, test) that sum to 1"
            faults.append(fault("ingest.split", rule, list(self.split), "For example 0.7 0.15 0.15."))
        if not 0 <= self.max_bad_fraction <= 1:
            faults.append(fault("ingest.max_bad_fraction", "must lie in [0, 1]", self.max_bad_fraction, ""))
        for name in ("limit_per_class", "max_pixels"):
            value = getattr(self, name)
            if value is not None and value < 1:
                faults.append(fault(f"ingest.{name}", "must be at least 1", value, ""))
        return faults + (pattern_faults("ingest.group", self.group) if self.group is not None else [])
