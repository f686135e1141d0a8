"""Whatever a user and a password look like: no address shows them, and one without them is shown as it is."""

import json
import re
import time

import pytest
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from telefine_assets.control.health import Check, examine
from telefine_assets.control.health_services import MODELS, SERVICES
from telefine_assets.errors import TelefineError
from telefine_assets.observing.masking import Masker
from telefine_assets.resources import resources_for
from telefine_assets.settings.addresses import MASK, has_password, in_text, place_of, secrets_in, without_password
from telefine_assets.settings.file import SettingsError
from telefine_assets.settings.loading import printable
from telefine_assets_tests.small_settings import SECRET, mistakes

ORDINARY = [
    "",
    "store",
    "/srv/of:ours@home/store",
    "sqlite:////srv/of:ours@home/mlflow.db",
    "sqlite:///C:/of@home/mlflow.db",
    "postgresql://user@/db?host=/tmp/x",
    "postgresql://ann@db.internal:5432/mlflow?sslmode=verify-full&sslkey=/run/key.pem&passfile=/run/pgpass",
    "postgresql://ann@[::1]:5432/mlflow",
    "postgresql://ann%40server@db.internal/mlflow",
    "mysql+pymysql://ann@server@db.internal/mlflow",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BSERVER%3Ddb%3BTrusted_Connection%3Dyes",
    "http://mlflow.internal:5000/of@team",
    "https://[fd00::1]:5000/of@team",
    "https://mlflow.internal?team=of@ours",
    "s3://bucket/a:b@c",
    "abfs://container@account.dfs.core.windows.net/store",
    "databricks://profile",
]
CLOSED = {
    f"postgresql://user@server:{SECRET}@host/db": f"postgresql://user@server:{MASK}@host/db",
    f"postgresql://user:12/{SECRET}@host/db": f"postgresql://user:{MASK}@host/db",
    f"sftp://user@corp:{SECRET}@host/x": f"sftp://user@corp:{MASK}@host/x",
    f"s3://user:a/{SECRET}@bucket/x": f"s3://user:{MASK}@bucket/x",
    f"https://user:{SECRET}@gateway/v1": f"https://{MASK}@gateway/v1",
    f"https://{SECRET}@gateway/v1": f"https://{MASK}@gateway/v1",
    f"https://gateway/v1?api-key={SECRET}&x=y": f"https://gateway/v1?api-key={MASK}&x=y",
    f"abfs://c@a.dfs.core.windows.net/x?sig={SECRET}": f"abfs://c@a.dfs.core.windows.net/x?sig={MASK}",
    f"mssql+pyodbc:///?odbc_connect=UID%3Du%3BPWD%3D{SECRET}": f"mssql+pyodbc:///?odbc_connect={MASK}",
    f"postgresql://host/db?ssl%70assword={SECRET}": f"postgresql://host/db?ssl%70assword={MASK}",
    f"https://host/to?next=https%3A%2F%2Fu%3A{SECRET}%40there": f"https://host/to?next={MASK}",
}
PLACES = {
    "mlflow/tracking_uri": "TELEFINE_MLFLOW__TRACKING_URI",
    "mlflow/artifacts": "TELEFINE_MLFLOW__ARTIFACTS",
    "store/uri": "TELEFINE_STORE__URI",
    "lm/api_base": "TELEFINE_LM__API_BASE",
    "lms/judge/api_base": "TELEFINE_LMS__JUDGE__API_BASE",
}
REFUSED = {
    "ledger/url": "TELEFINE_LEDGER__URL",
    "mlflow/ui_url": "TELEFINE_MLFLOW__UI_URL",
    "dagster/url": "TELEFINE_DAGSTER__URL",
    "observing/otlp_endpoint": "TELEFINE_OBSERVING__OTLP_ENDPOINT",
    "observing/metrics/pushgateway": "TELEFINE_OBSERVING__METRICS__PUSHGATEWAY",
}
SCHEMES = ["postgresql+psycopg", "mysql", "mssql+pyodbc", "sftp", "odd", "https", "s3"]
USERS = st.text("an1@:/?#%&=.+' ", max_size=10)
PASSWORDS = st.text("QXZ12@:/?#%&=;+'\" ", min_size=4, max_size=16)


def parts(password):
    """Pieces that nothing else in a message can be."""
    pieces = {password[at : at + 4] for at in range(len(password) - 3)}
    return {each for each in pieces if re.search("[QXZ]", each)}


@st.composite
def addresses(draw):
    """An address and the pieces of its password."""
    scheme, user, password = draw(st.sampled_from(SCHEMES)), draw(USERS), draw(PASSWORDS)
    login, tail = f"{user}:{password}", draw(st.sampled_from(["", ":5432", "/db", "/db?x=y"]))
    # Of these every reader takes the beginning for the host, and the rest for a path.
    assume(scheme != "https" or not re.match(r"[^/?#@:]*(:\d{1,5})?[/?#][^:]*$", login))
    assume(scheme != "s3" or not re.search("[/?#]", user))
    return f"{scheme}://{login}@host{tail}", parts(password)


def is_told(pieces, *texts):
    return [(each, text) for text in texts for each in pieces if each in text]


@pytest.mark.parametrize("address", ORDINARY)
def test_an_ordinary_address_is_shown_as_it_is_and_may_stand_in_the_file(load, tmp_path, address):
    assert (without_password(address), has_password(address), in_text(address)) == (address, False, address)
    for place in PLACES:
        group, *_, name = place.split("/")
        settings = load({place: address} | ({"lms/judge/model": "openai/x"} if group == "lms" else {}))
        group = printable(settings)[group]
        if "://" in address:
            assert group.get("judge", group)[name] in (address, address.replace("C:", f"{tmp_path}/C:"))
        assert Masker.of(settings)(f"cannot open {address}: gone") == f"cannot open {address}: gone"


@pytest.mark.parametrize("address", CLOSED)
def test_a_password_or_key_is_hidden_and_refused_in_the_file(load, address):
    assert without_password(address) == CLOSED[address]
    assert without_password(CLOSED[address]) == CLOSED[address]
    assert in_text(f"'{address}' and ann@x: gone") == f"'{CLOSED[address]}' and ann@x: gone"
    for place, variable in PLACES.items():
        (line,) = mistakes(load, {place: address})
        assert f"its password must not stand in a file; set {variable} in the environment" in line
        assert SECRET not in line


@given(addresses())
def test_whatever_a_password_looks_like_no_address_shows_it(found):
    address, pieces = found
    assert is_told(pieces, without_password(address), place_of(address)) == []
    assert has_password(address) or not pieces
    if not re.search(r"[\s\"']", address):
        assert is_told(pieces, in_text(f"see <{address}>, 2 times")) == []


@effort(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(addresses(), st.sampled_from([*PLACES.items(), *REFUSED.items()]))
def test_no_command_shows_a_password_of_the_environment(load, found, where):
    address, pieces = found
    fault = Check("opened", lambda _: {}[address], f"look at {address}")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(where[1], address)
        try:
            settings = load({"lms/judge/model": "openai/x"})
        except SettingsError as error:
            assert is_told(pieces, str(error), repr(error)) == []
            return
        (finding,) = examine(settings, [fault])
        resources = {name: str(each.model_dump()) for name, each in resources_for(settings).items()}
    assert is_told(pieces, json.dumps(printable(settings)), repr(settings), repr(finding), repr(resources)) == []


@effort(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(addresses(), st.sampled_from([*PLACES, *REFUSED]))
def test_no_file_with_a_password_is_taken_and_no_message_repeats_it(load, found, place):
    address, pieces = found
    assume(pieces)
    assert is_told(pieces, *mistakes(load, {place: address})) == []
    assert is_told(pieces, *mistakes(load, {place: [address]})) == []
    assert is_told(pieces, *mistakes(load, {place.split("/")[0]: {address: 1}})) == []


@pytest.mark.parametrize(
    ("variable", "address", "check"),
    [
        ("TELEFINE_MLFLOW__TRACKING_URI", "postgresql+psycopg://user%40server:{}@127.0.0.1:9/db", "MLflow"),
        ("TELEFINE_MLFLOW__TRACKING_URI", "postgresql://127.0.0.1:9/db?user=ann&password={}", "MLflow"),
        ("TELEFINE_MLFLOW__TRACKING_URI", "http://ann:{}@127.0.0.1:9", "MLflow"),
        ("TELEFINE_STORE__URI", "memory://store?token={}", "store"),
        ("TELEFINE_LM__API_BASE", "http://ann:{}@127.0.0.1:9/v1", "language models"),
    ],
)
def test_the_doctor_tells_no_password_of_what_it_cannot_reach(load, monkeypatch, variable, address, check):
    for password in ("S3CR", SECRET):
        monkeypatch.setenv(variable, address.format(password))
        settings = load({"lm/model": "openai/x", "lm/num_retries": 0, "lm/timeout_seconds": 1})
        (finding,) = examine(settings, [each for each in (*SERVICES, MODELS) if each.name == check])
        assert finding.said
        assert password not in repr(finding), finding


def test_a_run_reads_a_models_address_with_a_password_from_the_environment(load, monkeypatch):
    address = f"https://ann:{SECRET}@gateway/v1"
    monkeypatch.setenv("TELEFINE_LMS__JUDGE__API_BASE", address)
    models = resources_for(load({"lms/judge/model": "openai/x", "lm/api_base": "https://gateway/v1"}))["lm"]
    assert (models.settings().api_base, models.settings("judge").api_base) == ("https://gateway/v1", address)
    assert SECRET not in f"{models} {models.model_dump()}"
    monkeypatch.delenv("TELEFINE_LMS__JUDGE__API_BASE")
    with pytest.raises(TelefineError, match=r"lms\.judge: set TELEFINE_LMS__JUDGE__API_BASE"):
        models.settings("judge")


@pytest.mark.parametrize("variable", ["TELEFINE_MLFLOW__TRACKING_URI", "TELEFINE_LM__API_BASE", "TELEFINE_STORE__URI"])
@pytest.mark.parametrize("password", ["a@{}", "{}/x", "{}?x", "{}#x", "a {}", "a:{}@b"])
def test_a_login_that_clients_read_otherwise_is_refused_with_its_cure(load, monkeypatch, variable, password):
    for user in ("ann", "ann@server"):
        monkeypatch.setenv(variable, f"https://{user}:{password.format(SECRET)}@host/x")
        (line,) = mistakes(load)
        assert "= 'https://**********': cannot be read in one way only; write @ in a user or password" in line
        assert SECRET not in line
    monkeypatch.setenv(variable, f"postgresql://user@server:{SECRET}@host/x")
    (line,) = mistakes(load)
    assert "= 'postgresql://**********': cannot be read in one way only" in line
    assert SECRET not in line


def test_links_and_receivers_carry_no_password_at_all(load, monkeypatch):
    for variable in REFUSED.values():
        monkeypatch.setenv(variable, f"https://{SECRET}@host/x?key={SECRET}")
        (line,) = mistakes(load)
        assert SECRET not in line
        monkeypatch.delenv(variable)
    (line,) = mistakes(load, {"observing/otlp_endpoint": f"https://c.example:4318/v1?api-key={SECRET}"})
    assert "observing.otlp_endpoint = 'https://c.example/...': must be http(s)" in line


def test_a_long_word_of_a_log_is_looked_through_at_once():
    for word in ("a" * 300_000, "a.b-" * 100_000 + "://x", "?a=" * 100_000, "&a" * 100_000, "://a:b@" * 20_000):
        began = time.monotonic()
        in_text(f"of https://host {word}")
        assert time.monotonic() - began < 5


def test_what_is_hidden_is_told_to_whoever_hides_it_elsewhere(load, monkeypatch):
    address = f"postgresql://u@s:{SECRET}@host/db?sslpassword=other&x=y"
    assert secrets_in(address) == [SECRET, "other"]
    monkeypatch.setenv("TELEFINE_MLFLOW__TRACKING_URI", f"https://ann-of-us:{SECRET}@host")
    assert Masker.of(load())(f"ann-of-us {SECRET}") == f"ann-of-us {MASK}"
    assert Masker([], [address])(f"{address!r}") == f"'postgresql://u@s:{MASK}@host/db?sslpassword={MASK}&x=y'"
