"""A database client that knows nothing of Telefine."""

from sqlalchemy import create_engine, text


class Stranger:
    """Says what it likes to a database; each statement commits."""

    def __init__(self, url):
        self._engine = create_engine(url, isolation_level="AUTOCOMMIT")
        self._connection = self._engine.connect()
        self.kind = self._engine.dialect.name

    def run(self, statement, **values):
        return self._connection.execute(text(statement), values)

    def rows(self, table):
        return [tuple(row) for row in self.run(f"SELECT * FROM {table}")]

    def disarm(self, table):
        """Take the table's triggers away."""
        names = ["no_update", "no_delete"] if self.kind == "sqlite" else ["append_only"]
        for name in names:
            self.run(f"DROP TRIGGER {table}_{name}" + ("" if self.kind == "sqlite" else f" ON {table}"))

    def close(self):
        self._connection.close()
        self._engine.dispose()
