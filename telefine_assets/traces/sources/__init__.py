"""Where traces are read from: MLflow's database itself, MLflow's API, or exported files.

Every source brings raw rows in one shape (``pages``); one piece of code makes
traces of them (``assembling``). So the same store gives the same rows, bytes
and digests, whatever way it was reached.
"""
