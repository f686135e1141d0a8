"""Settings of what is sent elsewhere: one way for counts, no secret in a file or a message; and the doctor's look."""

import pytest

from telefine_assets.control.health import Broken, Skipped
from telefine_assets.control.health_observing import observing
from telefine_assets.settings.loading import printable
from telefine_assets_tests.small_settings import SECRET, mistakes


def test_nothing_is_sent_unless_it_is_asked_for(load):
    own = load().observing
    assert (own.otlp_endpoint, own.sentry_dsn, own.metrics.told_by_api) == (None, None, True)
    with pytest.raises(Skipped, match="nothing is sent anywhere"):
        observing(load())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"observing/metrics": {"textfile_dir": "here", "pushgateway": "http://gateway:9091"}},
            "set textfile_dir or pushgateway, not both",
        ),
        ({"observing/metrics/pushgateway": "gateway:9091"}, "must be http(s)://<host>"),
        ({"observing/otlp_endpoint": f"http://ann:{SECRET}@collector:4318"}, "without user, password or query"),
        ({"observing/log_format": "xml"}, "'console' or 'json'"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_and_no_secret_repeated(load, changes, said):
    (line,) = mistakes(load, changes)
    assert said in line
    assert SECRET not in line


def test_a_dsn_comes_from_the_environment_and_is_never_shown(load, monkeypatch):
    monkeypatch.setenv("TELEFINE_OBSERVING__SENTRY_DSN", f"https://{SECRET}@errors.internal/7")
    settings = load()
    assert settings.observing.sentry_dsn.get_secret_value().startswith("https://")
    assert SECRET not in f"{settings!r} {printable(settings)}"
    monkeypatch.setenv("TELEFINE_OBSERVING__SENTRY_DSN", SECRET)
    (line,) = mistakes(load)
    assert "<key>@<host>/<project>" in line
    assert SECRET not in line


def test_the_doctor_finds_receivers_and_folders_that_are_not_there(load, receiver, tmp_path, monkeypatch):
    assert observing(load({"observing/otlp_endpoint": receiver.base})) == "observing.otlp_endpoint"
    monkeypatch.setenv("TELEFINE_OBSERVING__SENTRY_DSN", f"http://{SECRET}@127.0.0.1:9/7")
    with pytest.raises(Broken, match=r"127\.0\.0\.1:9 takes no connection") as caught:
        observing(load())
    assert SECRET not in f"{caught.value} {caught.value.cure}"
    monkeypatch.delenv("TELEFINE_OBSERVING__SENTRY_DSN")
    settings = load({"observing/metrics/textfile_dir": "textfiles"})
    assert settings.observing.metrics.textfile_dir == tmp_path / "textfiles"
    with pytest.raises(Broken, match="cannot be written"):
        observing(settings)
    (tmp_path / "textfiles").mkdir()
    assert observing(settings) == "observing.metrics.textfile_dir"
