"""What was revoked is shown nowhere as certified: not the gain that the look found, nor one that was issued again."""

import html
import re

import pytest

from telefine_assets_tests.api.pages.told import Told
from telefine_assets_tests.api.served import paid_home
from telefine_assets_tests.cli.attested_home import ALICE, MONDAY, TUESDAY

WHY, AGAIN = "two labels were <b>wrong</b>", "labels \u202ecorrected"
FOUND, LEFT = "+12.50 pp", "+11.75 pp"


@pytest.fixture(scope="module")
def amended(tmp_path_factory):
    """Monday was issued again for less; what was said of Tuesday, which serves, was revoked and is not."""
    home = paid_home(tmp_path_factory.mktemp("amended"))
    uids = {day: home.records.read("triage", "attestations", day)["uid"] for day in (MONDAY, TUESDAY)}
    home.revoke(uids[MONDAY], WHY)
    home.prepare_again(MONDAY, reason=AGAIN)
    uids["again"] = home.sign_again(MONDAY)
    home.revoke(uids[TUESDAY], "it had leaked")
    return home, Told(home, uids)


def text_of(answer):
    """What a reader sees of a page, in one line."""
    assert answer.status_code == 200, answer.text
    body = re.sub(r"<svg.*?</svg>", " ", answer.text.split("<body", 1)[1], flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).replace("\u00a0", " ").split())


def test_a_program_shows_what_is_in_force_and_what_was_revoked(amended):
    _, told = amended
    page = told.look("/programs/triage")
    assert WHY not in page.text
    rows = [text for text in re.findall(r'<tr><th scope="row">.*?</tr>', page.text) if "/attestations/" in text]
    seen = [(re.search(r"0x[0-9a-f]{64}", row)[0], re.findall(r"badge[^>]*>([^<]+)<", row)[-1]) for row in rows[:3]]
    assert seen == [
        (told.uids[TUESDAY], "revoked"),
        (told.uids["again"], "in force"),
        (told.uids[MONDAY], "revoked"),
    ]
    assert [LEFT.replace(" ", "\u00a0") in row for row in rows[:3]] == [False, True, False]
    assert "corrected" in rows[1] and "serves" in rows[0]
    assert "Proved by nothing any more: what it was promoted on was revoked" in text_of(page)
    assert page.text.count('class="mark revoked"') == 3  # Two marks, and the legend's.
    home = text_of(told.look("/"))
    assert f"Last certified gain {LEFT} 2 Nov 2026 Gains in force 1" in home
    assert FOUND not in home


def test_an_attestation_says_what_it_was_replaced_by_and_what_it_replaces(amended):
    _, told = amended
    pages = {name: text_of(told.look(f"/attestations/{uid}")) for name, uid in told.uids.items()}
    assert "It was claimed: better by 12.50 percentage points" in pages[MONDAY]
    assert f"{LEFT}, at least +7.80 pp in force" in pages[MONDAY]
    assert "Better by 11.75 percentage points" in pages["again"]
    assert f"{FOUND}, at least +8.48 pp revoked" in pages["again"]
    for name in (MONDAY, "again"):
        assert (
            f"The look found {FOUND}, which was revoked on 2026-11-20 12:00 UTC at position 3 of the log" in pages[name]
        )
        assert "labels \ufffdcorrected" in pages[name] and "that is in force" in pages[name]
    assert "No claim is in force for this day." in pages[TUESDAY]
    assert "in force" not in pages[TUESDAY].replace("No claim is in force", "")


def test_a_reader_is_told_beside_each_report(amended):
    _, told = amended
    key = told.key("read")
    page = text_of(told.look("/programs/triage", told.signed_in()))
    assert f"reached corrected The look found {FOUND}" in page
    listed = told.get("/v1/programs/triage/reports", key).json()["items"]
    assert [(each["standing"], each["in_force"]) for each in listed] == [
        ("corrected", told.uids["again"]),
        ("revoked", None),
    ]
    shown = told.get(f"/v1/programs/triage/reports/{MONDAY}", key).json()
    standing = shown["standing"]
    assert (shown["reached"], standing["in_force"]) == (True, told.uids["again"])
    assert [(each["gain_ppm"], each["outcome"]) for each in standing["attestations"]] == [
        (125_000, "revoked"),
        (117_500, "attested"),
    ]
    assert standing["attestations"][0]["revoked"] == {"position": 3, "reason": WHY, "at": "2026-11-20T12:00:00Z"}
    report = text_of(told.get(f"/v1/programs/triage/reports/{MONDAY}/page", key))
    assert "Corrected" in report and f"{LEFT} after a correction, {FOUND} before" in report
    assert "What stands now" in report and "Better by" not in report
    assert WHY in report and "<b>wrong" not in told.get(f"/v1/programs/triage/reports/{MONDAY}/page", key).text


def test_both_are_listed_handed_out_and_judged_by_the_log_as_it_is(amended):
    _, told = amended
    listed = told.get("/v1/attestations").json()["items"]
    assert [(each["uid"], each["outcome"], each["replaced_by"]) for each in listed] == [
        (told.uids[MONDAY], "revoked", told.uids["again"]),
        (told.uids["again"], "attested", None),
        (told.uids[TUESDAY], "revoked", None),
    ]
    for uid, code in ((told.uids[MONDAY], "revoked"), (told.uids["again"], None)):
        assert told.get(f"/v1/attestations/{uid}").json()["envelope"]["sig"]["uid"] == uid
        assert told.get(f"/v1/attestations/{uid}/verification").json()["code"] == code
    assert told.get("/v1/attestations?limit=1").json()["next"]


def test_a_contributor_sees_a_day_once_by_what_is_in_force(amended):
    _, told = amended
    page = told.look(f"/contributors/{ALICE}")
    assert "Used in 2 DeltaOnes" in text_of(page)
    assert (told.uids["again"] in page.text, told.uids[MONDAY] in page.text) == (True, False)
    # What was paid on the one that was revoked stands, and is the day's.
    assert re.search(r"2 Nov 2026 50 % 0\.5\d* \S+ in force", text_of(page))


def test_once_that_is_revoked_too_no_page_says_that_anything_is_certified(amended):
    home, told = amended
    home.revoke(told.uids["again"], "wrong again")
    assert "Last certified gain None yet Gains in force 0" in text_of(told.look("/"))
    assert "in force" not in text_of(told.look("/programs/triage")).replace("no claim is in force", "")
    page = text_of(told.get(f"/v1/programs/triage/reports/{MONDAY}/page", told.key("read")))
    assert f"No claim is in force; the look found {FOUND}" in page and "was revoked too" in page
    home.prepare_again(MONDAY, 2, "at last")
    assert "+11.25 pp is prepared to be signed instead." in text_of(told.look(f"/attestations/{told.uids[MONDAY]}"))
    third = home.sign_again(MONDAY)
    assert "Last certified gain +11.25 pp" in text_of(told.look("/"))
    chain = told.get(f"/v1/programs/triage/reports/{MONDAY}", told.key("read")).json()["standing"]["attestations"]
    assert [each["uid"] for each in chain] == [told.uids[MONDAY], told.uids["again"], third]
    for each in chain:
        assert told.get(f"/v1/attestations/{each['uid']}").status_code == 200
