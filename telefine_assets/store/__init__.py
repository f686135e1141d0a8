"""Parquet tables, records and content-addressed evidence on any fsspec URI."""
