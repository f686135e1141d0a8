"""What somebody would try who wants a reader to see "Valid": a link, a file too much, a file that comes late."""

from dataclasses import replace

import pytest

from telefine_assets.api.pages import verifier
from telefine_assets.attestation.archive import pack
from telefine_assets.attestation.policy_file import policy_bytes
from telefine_assets.canonical import canonical_json
from telefine_assets_tests.api.pages.verifying import (
    chosen,
    chromium,
    give,
    needs_chromium,
    problem,
    said,
    state,
    trust,
    verdict,
)
from telefine_assets_tests.attestation.example import ATTESTER, STRANGER
from telefine_assets_tests.attestation.logs import POLICY, World, admit
from telefine_assets_tests.attestation.matrix import BOTH, BUNDLE, PARTS

pytestmark = needs_chromium
LINKS_WORD = "whom the link that you followed tells you to trust"
BUNDLE_FILE = ("attestation.json", BUNDLE.to_bytes())
LOG_FILE = ("log.json", canonical_json(PARTS["log"]))

THEIRS = World()
THEIRS.say(admit(STRANGER), STRANGER)
FORGED_FILE = ("attestation.json", THEIRS.attest(STRANGER, STRANGER).to_bytes())
FORGED_LOG = ("log.json", THEIRS.snapshot(STRANGER).to_bytes())

# Files by the name of "slow" are read once the test says so.
SLOW = """() => {
  const released = new Promise((release) => { window.release = release; });
  File.prototype.arrayBuffer = async function () {
    if (this.name.startsWith("slow")) await released;
    return Blob.prototype.arrayBuffer.call(this);
  };
}"""
RELEASE = "async () => { window.release(); await new Promise((go) => setTimeout(go, 50)); }"


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("deceived") / "verify.html"
    path.write_bytes(verifier.standalone())
    return path


@pytest.fixture
def visit(browser, file):
    """Open the one file, as a link leads to it."""
    context = browser.new_context()

    def opened(fragment=""):
        page = context.new_page()
        page.goto(file.as_uri() + fragment)
        page.get_by_text("More files").click()
        return page

    yield opened
    context.close()


def unverified(page):
    """There is no verdict, and none is said."""
    page.wait_for_selector("[data-verify]:not([data-verdict])")
    assert "Nothing verified yet" in said(page)
    return True


def test_a_link_cannot_hide_that_it_says_whom_to_trust(visit):
    for end in ("", "%0D", "%0d,", "%C2%A0"):
        page = visit(f"#trust={STRANGER.address.lower()}{end}")
        assert give(page, FORGED_FILE) == "valid"
        assert LINKS_WORD in said(page)


def test_what_the_reader_adds_under_the_links_address_does_not_make_it_his_word(visit):
    page = visit(f"#trust={STRANGER.address}")
    give(page, FORGED_FILE)
    for typed in ([STRANGER, ATTESTER], [ATTESTER, STRANGER], [STRANGER, STRANGER]):
        assert LINKS_WORD in trust(page, "\n".join(each.address for each in typed), "valid")
        page.get_by_label("Whom do you trust?").fill("")
        page.wait_for_selector("[data-verdict=undecided]")
    trust(page, f"{STRANGER.address} {ATTESTER.address}", "valid")
    give(page, FORGED_FILE, FORGED_LOG)
    assert LINKS_WORD in said(page)
    give(page, BUNDLE_FILE)
    assert LINKS_WORD not in said(page) and "others count here by the word of the link" in said(page)
    assert "link" not in trust(page, ATTESTER.address, "valid").lower()


def test_how_many_must_sign_is_open_until_a_policy_says_it(visit):
    page = visit()
    give(page, BUNDLE_FILE, LOG_FILE)
    assert "how many must sign" in trust(page, ATTESTER.address, "valid")
    assert state(page, "threshold") == "unchecked"
    assert "2 signed: " in page.locator("[data-check=threshold]").inner_text()
    give(page, ("policy.json", policy_bytes(BOTH)), field="Your own policy")
    assert state(page, "threshold") == "passed" and "how many must sign" not in said(page)


def test_the_attestation_of_an_archive_is_the_one_that_python_takes(visit):
    page = visit()
    trust_only(page)
    nested = pack(dict([FORGED_FILE, ("x/attestation.json", BUNDLE_FILE[1]), ("z/log.json", LOG_FILE[1])]))
    assert give(page, ("one.tar", nested)) == "invalid"
    assert "untrusted_signer" in said(page)
    assert state(page, "log") == "unchecked"


def trust_only(page):
    page.get_by_label("Whom do you trust?").fill(ATTESTER.address)


@pytest.mark.parametrize(
    "files",
    [
        [FORGED_FILE, BUNDLE_FILE],
        [BUNDLE_FILE, FORGED_LOG, LOG_FILE],
        [FORGED_FILE, ("one.tar", pack(dict([BUNDLE_FILE])))],
        [("one.tar", pack(dict([BUNDLE_FILE, LOG_FILE]))), LOG_FILE],
    ],
)
def test_two_of_what_there_is_one_of_are_not_chosen_between(visit, files):
    page = visit()
    trust_only(page)
    assert give(page, BUNDLE_FILE) == "valid"
    page.get_by_label("The attestation").set_input_files([chosen(*each) for each in files])
    assert unverified(page) and "there are two" in problem(page)
    page.get_by_label("Or paste").fill(BUNDLE_FILE[1].decode())
    assert verdict(page) == "valid" and problem(page) == ""
    page.get_by_label("The attestation").set_input_files([chosen(*each) for each in files])
    assert unverified(page), "what was pasted before is not what was chosen"


def test_a_verdict_is_of_the_files_that_were_chosen_last(visit):
    page = visit()
    page.evaluate(SLOW)
    trust_only(page)
    assert give(page, BUNDLE_FILE) == "valid"
    page.get_by_label("The attestation").set_input_files([chosen(*BUNDLE_FILE), chosen("slow.bin", b"")])
    assert unverified(page)
    trust_only(page)
    page.wait_for_timeout(200)
    assert unverified(page), "typing shows no verdict while files are read"
    assert give(page, FORGED_FILE) == "invalid"
    page.evaluate(RELEASE)
    assert verdict(page) == "invalid" and STRANGER.address in said(page)


def test_what_is_pasted_overtakes_what_is_still_being_read(visit):
    page = visit()
    page.evaluate(SLOW)
    trust_only(page)
    page.get_by_label("The attestation").set_input_files([chosen(*BUNDLE_FILE), chosen("slow.bin", b"")])
    page.get_by_label("Or paste").fill(FORGED_FILE[1].decode())
    assert verdict(page) == "invalid"
    page.evaluate(RELEASE)
    assert verdict(page) == "invalid"
    assert page.get_by_label("The attestation").input_value() == ""


DROP = """([named, where]) => {
  const dataTransfer = new DataTransfer();
  for (const [name, text] of named) dataTransfer.items.add(new File([text], name));
  const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
  document.querySelector(where).dispatchEvent(event);
}"""
CHOSEN = "[...document.querySelectorAll('input[type=file]')].map((input) => [...input.files].map(({ name }) => name))"


def test_files_that_were_dropped_take_the_place_of_those_that_were_chosen(visit):
    page = visit()
    trust_only(page)
    assert give(page, BUNDLE_FILE) == "valid"
    forged = [(FORGED_FILE[0], FORGED_FILE[1].decode()), ("dropped.bin", "x")]
    page.evaluate(DROP, [forged, "[data-verify]"])
    page.wait_for_selector("[data-verdict=invalid]")
    assert page.evaluate(CHOSEN) == [["attestation.json", "dropped.bin"], []]


def test_an_own_policy_that_was_dropped_on_its_field_counts(visit):
    page = visit(f"#trust={STRANGER.address}")
    assert give(page, FORGED_FILE) == "valid"
    page.evaluate(DROP, [[("policy.json", policy_bytes(BOTH).decode())], "input[accept='.json']"])
    page.wait_for_selector("[data-verdict=invalid]")
    assert page.evaluate(CHOSEN) == [["attestation.json"], ["policy.json"]]


def test_an_own_policy_that_cannot_be_read_leaves_nobody_else_trusted(visit):
    page = visit(f"#trust={STRANGER.address}")
    give(page, FORGED_FILE)
    policy = page.get_by_label("Your own policy")
    assert give(page, ("policy.json", b"{}"), field="Your own policy") == "undecided"
    assert "your own policy cannot be read" in said(page)
    for again in (lambda: give(page, FORGED_FILE), lambda: trust(page, STRANGER.address, "undecided")):
        again()
        assert verdict(page) == "undecided" and "policy.json" in problem(page)
    assert give(page, ("policy.json", policy_bytes(BOTH)), field="Your own policy") == "invalid"
    assert problem(page) == ""
    policy.set_input_files([chosen("policy.json", b"{}")])
    page.wait_for_selector("[data-verdict=undecided]")
    policy.set_input_files([])
    page.wait_for_selector("[data-verdict=valid]")
    assert problem(page) == "" and LINKS_WORD in said(page)


def test_a_policy_counts_for_nothing_while_it_is_read_or_after_another_was_chosen(visit):
    page = visit(f"#trust={STRANGER.address}")
    page.evaluate(SLOW)
    give(page, FORGED_FILE)
    mine = THEIRS.check(replace(POLICY, genesis=STRANGER.address), STRANGER).policy
    page.get_by_label("Your own policy").set_input_files([chosen("slow.json", policy_bytes(mine))])
    assert unverified(page)
    assert give(page, ("policy.json", policy_bytes(BOTH)), field="Your own policy") == "invalid"
    page.evaluate(RELEASE)
    assert verdict(page) == "invalid"


def test_what_is_pasted_is_judged_as_the_file_with_the_same_bytes(visit):
    page, text = visit(), BUNDLE_FILE[1].decode()
    trust_only(page)
    for either in ("\ufeff" + text, text + "\u00a0", "\u2028" + text):
        assert give(page, ("attestation.json", either.encode())) == "invalid"
        page.get_by_label("Or paste").fill(f" \t\n{text}\n")
        page.wait_for_selector("[data-verdict=valid]")
        page.get_by_label("Or paste").fill(either)
        page.wait_for_selector("[data-verdict=invalid]")
        assert "bundle_malformed" in said(page)
