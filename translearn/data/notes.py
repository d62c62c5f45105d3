"""Notes on a data set: what was left out, or done otherwise than its files say, with a count and the first name.

A reader attaches its notes to its listing, as metadata of the table; ingest adds its own. All lie in the manifest, are
printed when the data set is made, and stand in the report.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

_KEY = b"notes"


class Note(BaseModel):
    """A note on several things of one kind.

    Attributes:
        what: What was done with which things, for example ``hidden files, passed over``.
        count: The number of these things.
        first: The name of the first, printable.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: str
    count: int
    first: str

    def __str__(self) -> str:
        return f"{self.what}: {self.count:,} (first: {self.first})"


def note(what: str, names: Sequence[str]) -> list[Note]:
    """Return a note on these things, or none where there are none.

    >>> [str(found) for found in note("hidden files, passed over", [".a", ".b"])]
    ['hidden files, passed over: 2 (first: .a)']
    """
    return [Note(what=printable(what), count=len(names), first=printable(names[0]))] if names else []


def noted(listing: pa.Table, notes: Sequence[Note]) -> pa.Table:
    """Return a listing with notes added to those that it has."""
    every = [found.model_dump() for found in (*notes_of(listing), *notes)]
    return listing.replace_schema_metadata({**(listing.schema.metadata or {}), _KEY: json.dumps(every)})


def notes_of(listing: pa.Table) -> tuple[Note, ...]:
    """Return the notes on a listing."""
    return tuple(Note(**found) for found in json.loads((listing.schema.metadata or {}).get(_KEY, b"[]")))


def printable(name: str) -> str:
    """Return a name of a file with what would harm a terminal, or is no UTF-8, escaped.

    >>> printable("caf\\udce9\\n.png")
    'caf\\\\xe9\\\\n.png'
    """
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
