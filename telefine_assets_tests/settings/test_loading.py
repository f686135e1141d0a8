"""The settings: which source wins, what a mistake says, and that no secret is shown."""

from datetime import date
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from telefine_assets.settings.file import SettingsError
from telefine_assets.settings.loading import load_settings, printable
from telefine_assets_tests.small_settings import mistakes, smallest

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.usefixtures("own_environment")

# Which source wins


def test_this_repositorys_own_settings_are_valid():
    assert list(load_settings(ROOT / "telefine.yaml").programs) == ["film_reviews"]


def test_what_nobody_sets_has_its_default(load):
    assert (load().lm.model, load().lm.temperature) == ("embedded", 0.0)


def test_the_file_wins_over_the_default(load):
    assert load({"lm/model": "openai/from-file"}).lm.model == "openai/from-file"


def test_the_profile_wins_over_the_file_and_leaves_the_rest_of_a_group(load):
    changes = {"lm": {"model": "openai/file", "max_tokens": 7}, "profiles": {"big": {"lm": {"model": "openai/big"}}}}
    assert (load(changes).lm.model, load(changes, "big").lm.model) == ("openai/file", "openai/big")
    assert load(changes, "big").lm.max_tokens == 7


def test_the_environment_wins_over_the_profile_and_leaves_the_rest_of_a_group(load, monkeypatch):
    monkeypatch.setenv("TELEFINE_LM__MODEL", "openai/environment")
    settings = load({"lm/max_tokens": 7, "profiles": {"big": {"lm": {"model": "openai/big"}}}}, "big")
    assert (settings.lm.model, settings.lm.max_tokens) == ("openai/environment", 7)


def test_the_environment_reaches_into_a_program(load, monkeypatch):
    monkeypatch.setenv("TELEFINE_PROGRAMS__TICKETS__METRIC", "shop.metrics:close")
    monkeypatch.setenv("TELEFINE_PROGRAMS__TICKETS__PAYOUT__POOL", "1000000000000000000000001")
    monkeypatch.setenv("TELEFINE_PROGRAMS__TICKETS__PAYOUT__TOKEN_SYMBOL", "TFT")
    program = load().program("tickets")
    assert (program.metric.label, program.payout.pool) == ("shop.metrics:close", "1000000000000000000000001")


def test_the_environment_chooses_the_profile_and_the_caller_wins(load, monkeypatch):
    monkeypatch.setenv("TELEFINE_PROFILE", "one")
    changes = {"profiles": {"one": {"deployment": "one"}, "two": {"deployment": "two"}}}
    assert (load(changes).deployment, load(changes, "two").deployment) == ("one", "two")


def test_a_profile_that_says_nothing_changes_nothing(load):
    assert load({"profiles": {"plain": None}}, "plain") == load()


def test_the_environment_names_the_file(tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(yaml.safe_dump(smallest() | {"deployment": "elsewhere"}))
    monkeypatch.setenv("TELEFINE_CONFIG", str(elsewhere))
    assert load_settings().deployment == "elsewhere"
    monkeypatch.setenv("TELEFINE_CONFIG", "")
    monkeypatch.chdir(tmp_path)
    elsewhere.rename("telefine.yaml")
    assert load_settings().deployment == "elsewhere", "an empty variable is none"


# What a mistake says

MISTAKES = [
    ({"lm/temperature": 9}, "telefine.yaml: lm.temperature = 9: ", "less than or equal to 2"),
    ({"lm/adapter": "xml"}, "telefine.yaml: lm.adapter = 'xml': ", "'chat', 'json' or 'plain'"),
    ({"lm/modle": "x"}, "telefine.yaml: lm.modle: is not a setting", "telefine config schema"),
    ({"lmm": {}}, "telefine.yaml: lmm: is not a setting", "telefine config schema"),
    ({"_env_prefix": "X"}, "telefine.yaml: _env_prefix: is not a setting", "telefine config schema"),
    ({"partitions": {}}, "telefine.yaml: partitions.start: is required", ""),
    ({"partitions/start": "yesterday"}, "telefine.yaml: partitions.start = 'yesterday': ", "date"),
    ({"partitions/end": "2026-11-01"}, "telefine.yaml: partitions: ", "end must not be before start"),
    ({"programs": {}}, "telefine.yaml: programs: ", "at least 1 item"),
    (
        {"programs/Ticket-Bot": smallest()["programs"]["tickets"]},
        "telefine.yaml: programs.Ticket-Bot = 'Ticket-Bot': ",
        "pattern",
    ),
    ({"programs/tickets/module": "shop"}, "telefine.yaml: programs.tickets.module = 'shop': ", "pattern"),
    ({"programs/tickets/metric": "best"}, "telefine.yaml: programs.tickets.metric = 'best': ", "exact_match"),
    ({"programs/tickets/payout/pool": 10}, "telefine.yaml: programs.tickets.payout.pool = 10: ", "in quotes"),
    ({"programs/tickets/payout/pool": 1e21}, "telefine.yaml: programs.tickets.payout.pool = 1e+21: ", "in quotes"),
    (
        {"programs/tickets/payout/pool": "10"},
        "telefine.yaml: programs.tickets.payout: ",
        "set token_address, or token_symbol",
    ),
    ({"programs/tickets/payout/pool": "1.5"}, "telefine.yaml: programs.tickets.payout.pool = '1.5': ", "[0-9]"),
    ({"programs/tickets/payout/dust_floor": "-1"}, "telefine.yaml: programs.tickets.payout.dust_floor = '-1': ", ""),
    ({"programs/tickets/deltaone/alpha": 0.05}, "telefine.yaml: programs.tickets.deltaone.alpha = 0.05: ", "string"),
    ({"programs/tickets/compile/strategies": []}, "telefine.yaml: programs.tickets.compile.strategies = []: ", ""),
    ({"ledger/url": "mysql://x"}, "telefine.yaml: ledger.url = 'mysql://x': ", "sqlite:///"),
    (
        {"ledger/url": "postgresql://h/db"},
        "telefine.yaml: ledger.url = 'postgresql://h/...': ",
        "postgresql+psycopg://",
    ),
    ({"profiles": ["big"]}, "telefine.yaml: profiles: ", "must map the name"),
    ({"profiles": {"big": "lm"}}, "telefine.yaml: profiles.big: ", "mapping"),
]


@pytest.mark.parametrize(("changes", "start", "allowed"), MISTAKES, ids=[next(iter(m[0])) for m in MISTAKES])
def test_a_mistake_is_one_line_with_the_key_the_value_and_what_is_allowed(load, changes, start, allowed):
    (line,) = mistakes(load, changes)
    assert line.startswith(start)
    assert allowed in line


def test_a_key_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "telefine.yaml").write_text("3: x\n" + yaml.safe_dump(smallest()))
    with pytest.raises(SettingsError, match="3: is not a setting"):
        load_settings(tmp_path / "telefine.yaml")


def test_all_mistakes_are_told_at_once(load):
    lines = mistakes(load, {"lm/temperature": -1, "signer/chain_id": 0, "programs/tickets/payout/pool": 5})
    assert [line.split(" = ")[0].removeprefix("telefine.yaml: ") for line in lines] == [
        "lm.temperature",
        "signer.chain_id",
        "programs.tickets.payout.pool",
    ]


@pytest.mark.parametrize(
    ("cleaning", "says"),
    [
        ({"accept_outputs_at": 0.5}, "accept_outputs_at needs an outcome"),
        ({"accept_outputs_at": 2, "outcomes": [{"feedback": "helpful"}]}, "accept_outputs_at"),
        ({"outcomes": [{"feedback": "helpful"}, {"feedback": "helpful"}]}, "each feedback may stand there once"),
        ({"outcomes": [{"feedback": "helpful", "low": 1, "high": 1}]}, "low must be below high"),
        ({"outcomes": [{"feedback": "tone", "kind": "category"}]}, "categories belong to kind: category"),
        ({"outcomes": [{"feedback": "helpful", "missing": "impute"}]}, "impute belongs to missing: impute"),
        ({"quality": [[0, 0], [0.5, 1]]}, "the curve's points must go up"),
        ({"balance": {"by": "colour"}}, "balance.by"),
    ],
)
def test_outcomes_and_their_use_must_make_sense(load, cleaning, says):
    (line,) = mistakes(load, {"programs/tickets/cleaning": cleaning})
    assert says in line


def test_an_unknown_profile_lists_those_there_are(load):
    profiles = {"profiles": {"small": {}, "big": {}}}
    assert mistakes(load, profiles, "huge") == [
        "telefine.yaml: profile = 'huge': not in 'profiles' (there are: big, small)"
    ]
    assert mistakes(load, {}, "huge") == ["telefine.yaml: profile = 'huge': not in 'profiles' (there are: none)"]


def test_an_unknown_program_lists_those_there_are(load):
    with pytest.raises(SettingsError, match="no program 'ticket' in the settings; there are: tickets"):
        load().program("ticket")


def test_a_missing_file_says_what_to_do(tmp_path):
    with pytest.raises(SettingsError, match=r"none\.yaml: no such settings file; set TELEFINE_CONFIG or start where"):
        load_settings(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"lm: [", "telefine.yaml: is not YAML: line 1, column 6: expected the node content"),
        (b"lm: \x01", "is not YAML: unacceptable character"),
        (b"", "must be a mapping"),
        (b"- lm", "must be a mapping"),
        (b"\xff\xfe", "is not UTF-8 text"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused_in_one_line(tmp_path, content, message):
    (tmp_path / "telefine.yaml").write_bytes(content)
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings(tmp_path / "telefine.yaml")
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_settings_file(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path)


def test_a_group_that_is_no_json_in_the_environment_is_refused(load, monkeypatch):
    monkeypatch.setenv("TELEFINE_LM", "{model: x")
    (line,) = mistakes(load)
    assert '"lm"' in line
    assert "JSON" in line


# What comes out


def test_relative_paths_are_anchored_at_the_file_not_at_the_working_directory(load, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    settings = load(
        {
            "home": "state",
            "store": {"uri": "data/store"},
            "ledger": {"url": "sqlite:///data/ledger.db"},
            "mlflow": {"tracking_uri": "sqlite:///data/mlflow.db"},
            "lm/embedded": {"state_dir": "model"},
            "signer": {"keystore": "keys/a.json", "password_file": "../password"},
        }
    )
    assert settings.home == tmp_path / "state"
    assert settings.store.uri == str(tmp_path / "data/store")
    assert settings.ledger.url == f"sqlite:///{tmp_path}/data/ledger.db"
    assert settings.mlflow.tracking_uri == f"sqlite:///{tmp_path}/data/mlflow.db"
    assert settings.lm.embedded.state_dir == tmp_path / "model"
    assert settings.signer.keystore == tmp_path / "keys/a.json"
    assert settings.signer.password_file == tmp_path.parent / "password"


def test_places_that_are_no_local_paths_stay_as_they_are(load):
    changes = {
        "store/uri": "s3://bucket/telefine",
        "ledger/url": "sqlite:////var/ledger.db",
        "mlflow/tracking_uri": "http://m",
    }
    settings = load(changes)
    assert (settings.store.uri, settings.ledger.url) == ("s3://bucket/telefine", "sqlite:////var/ledger.db")
    assert settings.mlflow.tracking_uri == "http://m"
    assert settings.lm.embedded.state_dir is None


def test_open_places_lie_under_home(load, tmp_path):
    settings = load({"home": "state"})
    assert settings.store.uri == str(tmp_path / "state/store")
    assert settings.ledger.url == f"sqlite:///{tmp_path}/state/ledger.db"
    assert settings.mlflow.tracking_uri == f"sqlite:///{tmp_path}/state/mlflow.db"


def test_loading_settings_makes_no_folder(load, tmp_path):
    load()
    assert [path.name for path in tmp_path.iterdir()] == ["telefine.yaml"]


def test_settings_never_change(load):
    settings = load()
    for group, name in ((settings, "deployment"), (settings.lm, "model"), (settings.program("tickets"), "metric")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(group, name, "other")


def test_printed_settings_are_valid_settings_again(load, tmp_path):
    shown = printable(load())
    for group, name in (
        ("lm", "api_key"),
        ("signer", "private_key"),
        ("chain", "rpc_url"),
        ("observing", "sentry_dsn"),
    ):
        del shown[group][name]
    (tmp_path / "again.yaml").write_text(yaml.safe_dump(shown))
    again = load_settings(tmp_path / "again.yaml")
    assert printable(again) == printable(load())
    assert again.partitions.start == date(2026, 11, 2)


def test_a_teacher_is_one_of_the_named_models(load):
    strategies = {"programs/tickets/compile/strategies": [{"strategy": "copro", "teacher_lm": "large"}]}
    assert load({**strategies, "lms/large/model": "openai/gpt-4o"}).programs["tickets"].compile.contenders
    (mistake,) = mistakes(load, {**strategies, "lms/small/model": "openai/gpt-4o-mini"})
    assert "programs.tickets.compile: copro: teacher_lm = 'large': is not in 'lms' (there are: small)" in mistake
