"""Web pages for people who have no Dagster."""
