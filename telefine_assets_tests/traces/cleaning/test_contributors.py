"""Contributors: kept through every step, whatever their tags say."""

import pytest

from telefine_assets_tests.traces.examples import ADA, BEN, cleaned, expectation, only, trace

RIGHT = expectation("billing")


@pytest.mark.parametrize(
    ("tag", "address", "reason"),
    [
        (ADA, ADA, None),
        (ADA.lower(), ADA, None),
        (None, None, "missing"),
        ("", None, "missing"),
        ("ada", None, "not_an_address"),
        ("ada.eth", None, "ens_name"),
        (BEN.swapcase().replace("0X", "0x"), None, "bad_checksum"),
        ("0x" + "0" * 40, None, "zero_address"),
        ("\ud800", None, "not_an_address"),
    ],
)
def test_a_trace_stays_whoever_sent_it_and_a_bad_address_is_unresolved_with_the_reason(tag, address, reason):
    kept = only(trace(1, RIGHT, contributor=tag))
    assert (kept.contributor, kept.contributor_reason) == (address, reason)


def test_copies_of_an_input_stay_each_with_its_contributor_and_time():
    kept, _ = cleaned(
        trace(2, RIGHT, inputs={"ticket": "HELP  me"}, contributor=BEN), trace(1, RIGHT, inputs={"ticket": "help me"})
    )
    assert [(each.contributor, each.arrival_ms) for each in kept] == [(ADA, 1001), (BEN, 1002)]
    assert len({(each.content, each.cluster, each.group, each.split) for each in kept}) == 1


def test_the_report_says_what_became_of_each_contributors_traces():
    rows = [
        trace(1, RIGHT),
        trace(2, RIGHT, contributor=ADA.lower()),
        trace(3, contributor=f" {ADA}"),
        trace(4, RIGHT, status="ERROR"),
        trace(5, RIGHT, contributor="ada"),
        trace(6, RIGHT, contributor=" "),
        trace(7, contributor=None),
    ]
    assert cleaned(*rows)[1].contributors == {
        "(none)": {"given": 2, "kept": 1, "dropped": {"unlabelled": 1}},
        ADA: {"given": 4, "kept": 2, "dropped": {"failed": 1, "unlabelled": 1}},
        "ada": {"given": 1, "kept": 1, "dropped": {}},
    }


def test_a_tag_that_is_no_text_is_read_as_text():
    assert (
        only(trace(1, RIGHT, contributor=None, tags={"telefine.contributor": 5})).contributor_reason == "not_an_address"
    )
