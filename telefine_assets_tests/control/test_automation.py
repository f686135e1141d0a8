"""What runs by itself, as people are told of it."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from telefine_assets.control.automation import automation_of, owner_of


@pytest.mark.parametrize(
    ("schedule", "now", "tick"),
    [
        ({"every": "daily"}, "2026-11-02T02:59", "2026-11-02T03:00"),
        ({"every": "daily"}, "2026-11-02T03:00", "2026-11-03T03:00"),
        ({"every": "daily"}, "2026-11-02T02:59:59.999999", "2026-11-02T03:00"),
        ({"every": "weekly"}, "2026-11-03T00:00", "2026-11-09T03:00"),
        ({"every": "monthly"}, "2026-11-03T00:00", "2026-12-01T03:00"),
        # Berlin is two hours ahead of UTC in summer, and one in winter.
        ({"cron": "30 4 * * *", "timezone": "Europe/Berlin"}, "2026-10-24T12:00", "2026-10-25T03:30"),
        ({"cron": "30 4 * * *", "timezone": "Europe/Berlin"}, "2026-10-24T02:30", "2026-10-25T03:30"),
    ],
)
def test_the_next_tick_is_that_of_the_cron_expression_in_its_zone(load, monkeypatch, tmp_path, schedule, now, tick):
    settings = load({"programs/tickets/schedule": {**schedule, "enabled": True}})
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "telefine.yaml"))
    with dg.instance_for_test() as instance:
        found = automation_of(instance, settings, datetime.fromisoformat(now).replace(tzinfo=UTC))
    (told,) = (each for each in found if each.kind == "schedule" and each.running)
    wanted = datetime.fromisoformat(tick).replace(tzinfo=UTC)
    assert datetime.fromtimestamp(told.next_ms / 1000, UTC) == wanted
    assert (told.last_ms, told.last, told.said) == (None, None, None)


def test_what_is_off_has_no_next_tick(load, monkeypatch, tmp_path):
    settings = load()
    monkeypatch.setenv("TELEFINE_CONFIG", str(tmp_path / "telefine.yaml"))
    with dg.instance_for_test() as instance:
        found = automation_of(instance, settings, datetime.now(UTC))
    assert found
    assert not [each for each in found if each.running or each.next_ms]


def test_a_name_belongs_to_the_program_whose_name_is_the_longest_part_of_it():
    programs = ("shop", "shop_returns")
    assert [owner_of(name, programs) for name in ("shop_schedule", "shop_returns_schedule", "shopping_schedule")] == [
        *("shop", "shop_returns", None)
    ]
