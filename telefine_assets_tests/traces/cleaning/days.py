"""Days of traces of all sorts, for the property tests of this folder."""

from hypothesis import strategies as st

from telefine_assets_tests.traces.examples import ADA, BEN, RATER, Text, expectation, feedback, trace

VALUES = [
    0,
    1,
    0.5,
    0.79,
    0.8,
    True,
    False,
    "good",
    None,
    float("nan"),
    float("-inf"),
    7,
    -1,
    10**400,
    [1],
    Text("raw"),
]

some_assessments = st.lists(
    st.one_of(
        st.builds(
            feedback,
            st.sampled_from(VALUES),
            st.sampled_from(["ann", "bob", None]),
            name=st.sampled_from(["helpful", "helpful", "stars", "other"]),
            at=st.integers(1, 3),
            valid=st.sampled_from([True, True, True, False]),
            kind=st.sampled_from(["HUMAN", "LLM_JUDGE"]),
        ),
        st.builds(
            expectation,
            st.sampled_from(["billing", "login", None, 3]),
            st.sampled_from(["ann", RATER]),
            at=st.integers(1, 3),
            valid=st.booleans(),
        ),
    ),
    max_size=4,
)
some_trace = st.builds(
    lambda number, said, changes: trace(number, *said, **changes),
    st.integers(1, 10**6),
    some_assessments,
    st.fixed_dictionaries(
        {
            "status": st.sampled_from(["OK", "OK", "OK", "ERROR"]),
            "inputs": st.sampled_from(
                ["", "", "", {"ticket": "same"}, {"ticket": ""}, {"ticket": 5}, Text("{,}"), None]
            ),
            "outputs": st.sampled_from(["", "", {"team": "login"}, {"team": 5}, None]),
            "contributor": st.sampled_from([ADA, ADA.lower(), BEN, "nobody", None]),
            "at": st.integers(1, 3),
            "duration_ms": st.sampled_from([None, 1, 2, 3, 10**6]),
            "version": st.sampled_from([None, "v1", "v2"]),
        }
    ),
)
some_traces = st.lists(some_trace, max_size=25, unique_by=lambda each: each.trace_id)
