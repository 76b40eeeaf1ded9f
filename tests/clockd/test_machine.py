"""The virtual machine's marker, on a file with VMClock's layout: no such device is here."""

import struct
from dataclasses import replace
from pathlib import Path

import pytest

import clockd
from clockd.host import RealClock
from clockd.keeper import Keeper
from clockd.machine import BYTES, Machine, find_machine
from clockd.page import Writer
from clockd.reader import Reader
from clockd.states import State, Why
from tests.clockd.test_host_clock import Steered
from tests.clockd.test_reader import PUBLIC, page_of
from tests.clockd.test_tracking import OSCILLATOR, exchange_at


def set_marker(path: Path, marker: int, sequence: int = 2) -> None:
    data = struct.pack("<IIHHIQ", 0x4B4C4356, BYTES, 1, 0, sequence, marker).ljust(BYTES, b"\0")
    with path.open("r+b" if path.exists() else "wb") as file:
        file.write(data)


def test_a_moved_machine_has_no_time_until_it_was_measured_again(tmp_path: Path) -> None:
    device, page, host = tmp_path / "vmclock0", tmp_path / "page", Steered()
    set_marker(device, 7)
    machine = Machine(device)
    writer, reader = Writer(page), Reader(page, host, machine)
    writer.write(PUBLIC, replace(page_of(host), marker=7))
    assert reader.read().reason == ""
    set_marker(device, 8)
    assert reader.read().reason == "machine"
    keeper = Keeper(["s"], OSCILLATOR, (1, 1), 0, 0)
    assert not keeper.notice_machine(7, 0)
    keeper.take("s", exchange_at(0, 0))
    keeper.believe(0)
    assert not keeper.notice_machine(0, 1)
    assert keeper.notice_machine(machine.marker(), 1)
    assert (keeper.belief.state, keeper.belief.why) == (State.DISRUPTED, Why.MACHINE)
    writer.write(PUBLIC, replace(page_of(host), marker=8))
    assert reader.read().reason == ""
    set_marker(device, 9, sequence=3)
    assert machine.marker() == 0
    reader.close()
    writer.close()
    machine.close()


def test_what_is_no_such_device_is_none(tmp_path: Path) -> None:
    assert find_machine(tmp_path / "vmclock0") is None
    (tmp_path / "vmclock0").write_bytes(bytes(BYTES))
    assert find_machine(tmp_path / "vmclock0") is None
    with pytest.raises(ValueError, match="no VMClock"):
        Machine(tmp_path / "vmclock0")


def test_any_program_reads_the_time_in_one_line(tmp_path: Path) -> None:
    host = RealClock()
    assert clockd.read(tmp_path / "page") is None
    writer = Writer(tmp_path / "page")
    writer.write(PUBLIC, page_of(host))
    before = host.realtime_ns()
    now = clockd.read(tmp_path / "page")
    assert now is not None
    assert now.earliest_ns <= host.realtime_ns()
    assert before <= now.latest_ns
    writer.close()
