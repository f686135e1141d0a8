"""All benchmarks, one after the other: ``make bench``."""

from telefine_assets_tests.benchmarks import cleaning, clustering, http_loading, import_time, loading, ranges

for benchmark in (import_time, loading, http_loading, cleaning, clustering, ranges):
    print(f"\n{(benchmark.__doc__ or '').splitlines()[0]}", flush=True)
    benchmark.main()
