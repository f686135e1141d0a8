"""Two weeks of records that the tests read and do not change."""

import pytest

from telefine_assets.improvement.report import report_of
from telefine_assets_tests.improvement.home import TwoWeeks


@pytest.fixture(scope="session")
def weeks(tmp_path_factory):
    return TwoWeeks(tmp_path_factory.mktemp("weeks")).fill()


@pytest.fixture(scope="session")
def report(weeks):
    """The report of the second week."""
    return report_of(weeks.gathered())


@pytest.fixture
def empty(tmp_path):
    """A home in which nothing happened, for the test to change."""
    return TwoWeeks(tmp_path)
