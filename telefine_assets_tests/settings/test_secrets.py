"""No secret of the settings is shown or may stand in the file, and a password in an address is one."""

import json

import dagster as dg
import pytest

from telefine_assets.errors import TelefineError
from telefine_assets.resources import resources_for
from telefine_assets.resources.models import LmResource
from telefine_assets.resources.signing import SignerResource
from telefine_assets.resources.storage import LedgerResource
from telefine_assets.settings.loading import printable
from telefine_assets_tests.small_settings import SECRET, mistakes

SIGNING_KEY = "4c" * 32

pytestmark = pytest.mark.usefixtures("own_environment")


@pytest.mark.parametrize(
    ("key", "variable"),
    [
        ("lm/api_key", "TELEFINE_LM__API_KEY"),
        ("lms/teacher/api_key", "TELEFINE_LMS__TEACHER__API_KEY"),
        ("signer/private_key", "TELEFINE_SIGNER__PRIVATE_KEY"),
        ("observing/sentry_dsn", "TELEFINE_OBSERVING__SENTRY_DSN"),
    ],
)
@pytest.mark.parametrize("place", ["", "profiles/production/"])
def test_a_key_in_the_file_is_refused_wherever_it_stands_and_not_repeated(load, place, key, variable):
    (line,) = mistakes(load, {f"{place}{key}": SECRET})
    assert variable in line
    assert SECRET not in line


def test_keys_come_from_the_environment_and_are_never_shown(load, monkeypatch):
    monkeypatch.setenv("TELEFINE_LM__API_KEY", SECRET)
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", SECRET)
    settings = load({"programs/tickets/split/key": SECRET})
    program = settings.program("tickets")
    assert settings.lm.api_key.get_secret_value() == SECRET
    assert settings.signer.private_key.get_secret_value() == SECRET
    for shown in (repr(settings), str(settings), repr(program), f"{settings.lm}", json.dumps(printable(settings))):
        assert SECRET not in shown
    masked = printable(settings)
    assert masked["lm"]["api_key"] == masked["signer"]["private_key"] == "**********"
    assert masked["programs"]["tickets"]["split"]["key"] == "**********"


PLACE = "postgresql+psycopg://{}db.internal/of_ours{}"
ADDRESSES = [
    (PLACE.format(f"ann:{SECRET}@", ""), PLACE.format("ann:**********@", "")),
    (PLACE.format("", f"?user=ann&password={SECRET}&x=y"), PLACE.format("", "?user=ann&password=**********&x=y")),
]


@pytest.mark.parametrize(
    ("key", "variable"),
    [
        ("mlflow/tracking_uri", "TELEFINE_MLFLOW__TRACKING_URI"),
        ("ledger/url", "TELEFINE_LEDGER__URL"),
        ("store/uri", "TELEFINE_STORE__URI"),
    ],
)
def test_a_password_in_an_address_comes_from_the_environment_and_is_never_shown(load, monkeypatch, key, variable):
    for address, shown in ADDRESSES:
        (line,) = mistakes(load, {key: address})
        assert variable in line
        assert SECRET not in line
        monkeypatch.setenv(variable, address)
        settings = load()
        group, name = key.split("/")
        assert getattr(getattr(settings, group), name) == address
        assert printable(settings)[group][name] == shown
        assert SECRET not in repr({name: str(each) for name, each in resources_for(settings).items()})
        monkeypatch.delenv(variable)


def test_a_run_reads_the_password_from_the_environment(load, monkeypatch):
    address = ADDRESSES[0][0]
    monkeypatch.setenv("TELEFINE_LEDGER__URL", address)
    opened = []

    @dg.asset
    def looks(ledger: LedgerResource) -> None:
        opened.append(ledger.url)

    ledger = resources_for(load())["ledger"]
    assert dg.materialize([looks], resources={"ledger": ledger}).success
    assert opened == [address]


def test_a_step_that_shows_its_resources_shows_no_secret(load, monkeypatch):
    """An assertion's message, an error's argument, a line of the log: all of them end in Dagster's event log."""
    monkeypatch.setenv("TELEFINE_LEDGER__URL", ADDRESSES[0][0])
    monkeypatch.setenv("TELEFINE_LM__API_KEY", SECRET)
    monkeypatch.setenv("TELEFINE_SIGNER__PRIVATE_KEY", SIGNING_KEY)
    shown = []

    @dg.asset
    def looks(ledger: LedgerResource, lm: LmResource, signer: SignerResource) -> None:
        assert lm.settings().api_key.get_secret_value() == SECRET
        assert signer.signer().address
        shown.extend(f"{each!r} {each} {[each]}" for each in (ledger, lm, signer))
        shown.extend(str(each.model_dump()) for each in (lm, signer))

    resources = resources_for(load({"signer/kind": "environment"}))
    assert dg.materialize([looks], resources={name: resources[name] for name in ("ledger", "lm", "signer")}).success
    assert len(shown) == 5
    assert not any(secret in line for line in shown for secret in (SECRET, SIGNING_KEY))


def test_a_key_that_is_gone_from_the_environment_is_asked_for_by_name(load, monkeypatch):
    monkeypatch.setenv("TELEFINE_LM__API_KEY", SECRET)
    models = resources_for(load())["lm"]
    monkeypatch.delenv("TELEFINE_LM__API_KEY")
    with pytest.raises(TelefineError, match="set TELEFINE_LM__API_KEY"):
        models.settings()


@pytest.mark.parametrize("password", [f"{SECRET}@{SECRET}", f"{SECRET}/{SECRET}", f"@{SECRET}", f"a {SECRET}"])
def test_a_password_that_would_be_cut_in_two_is_refused_and_not_shown(load, monkeypatch, password):
    monkeypatch.setenv("TELEFINE_LEDGER__URL", f"postgresql+psycopg://ann:{password}@db.internal/ledger")
    (line,) = mistakes(load)
    assert "write @ in a password as %40, / as %2F and a blank as %20" in line
    assert SECRET not in line


@pytest.mark.parametrize(
    "address", ["https://mlflow.internal:5000/of@team", "https://mlflow.internal:5000/", "s3://b/a:b@c"]
)
def test_an_address_without_a_password_may_stand_in_the_file(load, address):
    settings = load({"mlflow/tracking_uri": address})
    assert printable(settings)["mlflow"]["tracking_uri"] == address


@pytest.mark.parametrize(
    "url",
    ["postgresql+psycopg://ann@db.internal:5432/ledger?sslmode=verify-full", "postgresql+psycopg:///ledger?host=/run"],
)
def test_a_ledger_may_be_in_postgresql(load, url):
    settings = load({"ledger/url": url})
    assert settings.ledger.url == url
    assert resources_for(settings)["ledger"].url == url


@pytest.mark.parametrize(
    "split",
    [
        {"key": SECRET, "validation_percent": 60, "holdout_percent": 60},
        {"key": [SECRET]},
        {"key": SECRET, "validation_percent": 0},
        {"kye": SECRET},
    ],
    ids=["no room", "not text", "other key wrong", "misspelt"],
)
def test_no_mistake_about_a_secrets_group_shows_the_secret(load, split):
    assert SECRET not in "\n".join(mistakes(load, {"programs/tickets/split": split}))
