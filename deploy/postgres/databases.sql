-- Read once, by an empty server: the ledger's database is POSTGRES_DB, these are the others'.
CREATE DATABASE dagster;
CREATE DATABASE mlflow;
