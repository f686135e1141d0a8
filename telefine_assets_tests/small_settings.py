"""The least that a settings file may say, and what is said of a mistake in it."""

import pytest

from telefine_assets.settings.file import SettingsError

SECRET = "sk-7f3a-not-to-be-shown"


def smallest() -> dict:
    """The least that a settings file may say."""
    return {
        "partitions": {"start": "2026-11-02"},
        "programs": {
            "tickets": {
                "module": "shop.programs:tickets",
                "experiment": "tickets",
                "split": {"key": "tickets-split-key"},
                "compile": {"strategies": [{"strategy": "labeled_few_shot"}]},
            }
        },
    }


def mistakes(load, changes=None, profile=None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(changes, profile)
    return str(caught.value).split("\n")
