from __future__ import annotations

from translearn.report.plots.error_plots import confusion_plot


def test_a_long_name_is_cut_and_leaves_room_for_the_matrix():
    svg = confusion_plot([[3, 1], [0, 4]], ["a" * 25, "b" * 24])
    assert svg is not None
    assert f">{'a' * 23}…<" in svg
    assert "a" * 24 not in svg
    assert f">{'b' * 24}<" in svg


def test_counts_are_written_and_zeros_are_not():
    svg = confusion_plot([[31, 0], [47, 0]], ["a", "b"])
    assert svg is not None
    assert all(f">{count}<" in svg for count in (31, 47))
    assert ">0<" not in svg


def test_too_many_classes_to_name_have_no_plot():
    assert confusion_plot([[1] * 61] * 61, [str(index) for index in range(61)]) is None
