"""Driving a deployment: what the command line and the API ask of Dagster."""
