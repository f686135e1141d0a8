"""Which of the daemon's threads are taken to stand still."""

import pytest

from telefine_assets.control.instance import late


@pytest.mark.parametrize(
    ("beats", "still"),
    [
        ({}, []),
        ({"SENSOR": 70.0, "SCHEDULER": 70.0}, []),
        # Awake at each full minute only, and quiet when it has written within 30 seconds.
        ({"SENSOR": 5.0, "SCHEDULER": 89.0}, []),
        ({"SENSOR": 89.0, "SCHEDULER": 89.0}, ["SENSOR"]),
        ({"SENSOR": 5.0, "SCHEDULER": 140.0}, ["SCHEDULER"]),
    ],
)
def test_a_thread_is_late_when_it_was_not_heard_of_for_longer_than_it_sleeps(beats, still):
    assert late(beats) == still
