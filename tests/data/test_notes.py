"""Notes travel with a listing, and are words that harm no terminal."""

from __future__ import annotations

from translearn.data.formats.reader import unlabelled
from translearn.data.notes import note, noted, notes_of


def test_notes_stay_with_a_listing_and_add_up():
    assert notes_of(unlabelled(["a"])) == ()
    listing = noted(noted(unlabelled(["a"]), note("hidden", [".x", ".y"])), [*note("none", []), *note("links", ["l"])])
    assert listing["id"].to_pylist() == ["a"]
    assert list(map(str, notes_of(listing))) == ["hidden: 2 (first: .x)", "links: 1 (first: l)"]


def test_a_name_that_is_no_utf8_or_moves_a_terminal_is_escaped():
    [found] = note("odd", ["caf\udce9\x1b[31m\u202e.png"] * 1234)
    assert str(found) == r"odd: 1,234 (first: caf\xe9\x1b[31m\u202e.png)"
