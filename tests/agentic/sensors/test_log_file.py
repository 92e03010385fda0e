"""The log file sensor reports each matching line once, whatever happens to the file."""

import os

import pytest

from agentic.sensors.log_file import LogFile


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "app.log"
    path.write_text("ERROR old\n")
    return path


@pytest.fixture
def sensor(log):
    sensor = LogFile(log, r"\bERROR\b", "app", context_lines=2)
    assert sensor.get_event() is None
    yield sensor
    sensor.close()


def write(path, text):
    with path.open("a") as file:
        file.write(text)


def test_a_matching_line_is_reported_with_the_lines_before_it(sensor, log):
    write(log, "one\ntwo\nthree\nERROR disk\nfour\n")
    report = sensor.get_event()
    assert report["job_id"] == "app"
    assert report["status"] == "failed"
    assert report["log"] == ["two", "three", "ERROR disk"]
    assert sensor.get_event() is None


def test_half_a_line_waits_for_its_end(sensor, log):
    write(log, "ERR")
    assert sensor.get_event() is None
    write(log, "OR late\n")
    assert sensor.get_event()["log"][-1] == "ERROR late"


def test_every_match_is_one_event_with_an_id_of_its_own(sensor, log):
    write(log, "ERROR a\nERROR a\n")
    ids = {sensor.get_event()["event_id"], sensor.get_event()["event_id"]}
    assert len(ids) == 2
    assert sensor.get_event() is None


def test_a_rotated_file_is_read_to_its_end_and_then_the_new_one_from_its_start(sensor, log):
    write(log, "ERROR last of the old\n")
    log.rename(log.with_suffix(".1"))
    log.write_text("ERROR first of the new\n")
    assert sensor.get_event()["log"][-1] == "ERROR last of the old"
    assert sensor.get_event()["log"][-1] == "ERROR first of the new"
    assert sensor.get_event() is None


def test_a_truncated_file_begins_anew(sensor, log):
    write(log, "a long line of no interest at all\n")
    assert sensor.get_event() is None
    os.truncate(log, 0)
    write(log, "ERROR x\n")
    assert sensor.get_event()["log"][-1] == "ERROR x"


def test_a_file_that_does_not_exist_yet_is_read_from_its_first_line(tmp_path):
    path = tmp_path / "later.log"
    sensor = LogFile(path.relative_to(tmp_path), "ERROR", "app", base_dir=tmp_path)
    assert sensor.get_event() is None
    path.write_text("ERROR first\n")
    assert sensor.get_event()["log"] == ["ERROR first"]
    sensor.close()


def test_reading_the_same_line_again_gives_the_same_id(log):
    ids = set()
    for _ in range(2):
        sensor = LogFile(log, "ERROR", "app", from_start=True)
        ids.add(sensor.get_event()["event_id"])
        sensor.close()
    assert len(ids) == 1


def test_bytes_that_are_no_text_and_a_line_without_end_do_no_harm(sensor, log):
    with log.open("ab") as file:
        file.write(b"\xff\x00ERROR \xfe\n" + b"x" * 1_000_000)
    assert "ERROR" in sensor.get_event()["log"][-1]
    assert sensor.get_event() is None


def test_a_pattern_that_is_not_valid_says_so(log):
    with pytest.raises(ValueError, match="pattern: '\\(' is not valid"):
        LogFile(log, "(", "app")
