"""All benchmarks, one after the other: ``make bench``."""

from telefine_assets_tests.benchmarks import (
    api,
    bootstrapping,
    cleaning,
    clustering,
    compile_overhead,
    deltaone,
    http_loading,
    import_time,
    loading,
    payouts,
    ranges,
    shapley,
    spool,
)

for benchmark in (
    import_time,
    loading,
    http_loading,
    cleaning,
    clustering,
    ranges,
    compile_overhead,
    bootstrapping,
    deltaone,
    shapley,
    spool,
    payouts,
    api,
):
    print(f"\n{(benchmark.__doc__ or '').splitlines()[0]}", flush=True)
    benchmark.main()
