"""The REST API, for people and programs that have no Dagster: ``telefine serve``."""
