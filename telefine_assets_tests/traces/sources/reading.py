"""Reading a whole store, for the tests of MLflow's API."""

import pyarrow as pa

from telefine_assets.traces.records import trace_schema
from telefine_assets.traces.sources.api import spans_by_client
from telefine_assets.traces.sources.databases import database_of
from telefine_assets.traces.sources.direct import DirectSource
from telefine_assets.traces.sources.protocol import TraceQuery
from telefine_assets_tests.traces.mlflow_store import EXPERIMENT

QUERY = TraceQuery(EXPERIMENT, 0, 2**53, ("ticket",))
COUNT = 230


def direct_source(uri):
    return DirectSource(database_of(uri), spans_by_client(uri))


def rows_of(source, query=QUERY):
    return pa.Table.from_batches(source.read(query), trace_schema())


def prints_of(source, query=QUERY):
    return pa.Table.from_batches(source.fingerprints(query)).to_pylist()
