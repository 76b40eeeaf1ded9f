"""Counts of several processes: added up, taken over by whoever comes in a dead one's place, never mixed up."""

from pathlib import Path

import pytest

from service.watching.shared import SharedCounts, SharedCountsError

LAYOUT = ("taken", "refused")


def test_each_process_has_a_place_and_all_are_read(tmp_path: Path) -> None:
    first, second = SharedCounts(tmp_path, LAYOUT), SharedCounts(tmp_path, LAYOUT)
    assert (first.number, second.number) == (0, 1)
    first.write([3, 1])
    second.write([4, 0])
    assert [(told.number, told.is_alive, told.counts) for told in second.read_all()] == [
        (0, True, [3, 1]),
        (1, True, [4, 0]),
    ]
    first.close()
    second.close()


def test_what_a_dead_process_counted_stays_and_its_successor_goes_on_from_there(tmp_path: Path) -> None:
    gone, other = SharedCounts(tmp_path, LAYOUT), SharedCounts(tmp_path, LAYOUT)
    assert gone.found() is None
    gone.write([7, 2])
    other.write([1, 1])
    gone.close()
    assert [(told.is_alive, told.counts) for told in other.read_all()] == [(False, [7, 2]), (True, [1, 1])]
    successor = SharedCounts(tmp_path, LAYOUT)
    assert (successor.number, successor.found()) == (0, [7, 2])
    assert [told.is_alive for told in other.read_all()] == [True, True]
    successor.close()
    other.close()


def test_counts_of_another_version_are_nobodys(tmp_path: Path) -> None:
    old = SharedCounts(tmp_path, LAYOUT)
    old.write([7, 2])
    old.close()
    new = SharedCounts(tmp_path, ("taken", "known"))
    assert new.found() is None
    assert new.read_all() == []
    new.close()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SharedCountsError, match="cannot be kept"):
        SharedCounts(tmp_path / "file" / "counts", LAYOUT)
