"""Signatures: those of the specification, and of nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.alerts.webhook import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    TOLERANCE_SECONDS,
    WebhookError,
    address,
    keys_of,
    secret_of,
    signed,
    verify,
)

# The example of the Standard Webhooks specification.
SECRET, MESSAGE, AT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330
BODY = b'{"test": 2432232314}'
THEIRS = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
OTHER = secret_of(b"n" * 24)


def test_the_signature_is_that_of_the_specification():
    headers = signed(keys_of(SECRET), MESSAGE, AT, BODY)
    assert headers == {ID: MESSAGE, TIMESTAMP: str(AT), SIGNATURE: THEIRS}
    assert verify(SECRET, headers, BODY, AT) == MESSAGE


@pytest.mark.parametrize("known", [SECRET, OTHER, f"{OTHER} {SECRET}"])
def test_while_a_secret_is_replaced_receivers_may_know_the_old_or_the_new_one(known):
    headers = signed(keys_of(f"{SECRET} {OTHER}"), MESSAGE, AT, BODY)
    assert verify(known, headers, BODY, AT) == MESSAGE


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({ID: "msg_another"}, "is not that of this body"),
        ({TIMESTAMP: str(AT + 1)}, "is not that of this body"),
        ({SIGNATURE: THEIRS.replace("v1,", "v2,")}, "is not that of this body"),
        ({SIGNATURE: ""}, "is not that of this body"),
        ({SIGNATURE: "v1,é"}, "is not that of this body"),
        ({TIMESTAMP: "soon"}, "an old request"),
        ({TIMESTAMP: "-1"}, "an old request"),
        ({TIMESTAMP: "9" * 5000}, "an old request"),
        ({ID: None}, "webhook-id is missing"),
    ],
)
def test_a_request_that_was_changed_is_not_believed(change, said):
    headers = signed(keys_of(SECRET), MESSAGE, AT, BODY) | change
    with pytest.raises(WebhookError, match=said):
        verify(SECRET, {name: value for name, value in headers.items() if value is not None}, BODY, AT)


def test_no_other_part_of_what_was_signed_passes_for_the_time_and_the_body():
    body = b'{"where":"' + f".{AT}.[1] x".encode() + b'"}'
    headers = signed(keys_of(SECRET), MESSAGE, AT - 10_000, body)
    cut = body.index(b".")
    moved = headers | {ID: f"{MESSAGE}.{AT - 10_000}." + body[:cut].decode(), TIMESTAMP: str(AT)}
    with pytest.raises(WebhookError, match="none of ours"):
        verify(SECRET, moved, b"[1] x" + b'"}', AT)


def test_another_body_or_secret_is_not_believed():
    headers = signed(keys_of(SECRET), MESSAGE, AT, BODY)
    for secret, body in ((SECRET, BODY + b" "), (OTHER, BODY)):
        with pytest.raises(WebhookError):
            verify(secret, headers, body, AT)


@pytest.mark.parametrize("off", [-TOLERANCE_SECONDS - 1, TOLERANCE_SECONDS + 1])
def test_an_old_request_is_not_believed(off):
    headers = signed(keys_of(SECRET), MESSAGE, AT, BODY)
    assert verify(SECRET, headers, BODY, AT + off + (1 if off < 0 else -1)) == MESSAGE
    with pytest.raises(WebhookError, match="an old request"):
        verify(SECRET, headers, BODY, AT + off)


@given(st.binary(min_size=24, max_size=64), st.binary(max_size=200), st.integers(0, 10**11))
def test_what_was_signed_verifies(key, body, at):
    assert verify(secret_of(key), signed([key], "msg_1", at, body), body, at) == "msg_1"


@pytest.mark.parametrize("secret", ["", "  ", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_short", "whsec_" + "A" * 200])
def test_a_weak_secret_is_refused_and_not_repeated(secret):
    with pytest.raises(ValueError, match="telefine alerts secret") as caught:
        keys_of(secret)
    assert "MfKQ" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://example.test/", "https://ann:pw@example.test/", "https://", "ftp://localhost/", "https://a b/", "https://[/",
     "https://x:99999/", "http://localhost.example.test/", "https://a\nb/", "file:///etc/passwd"],
)  # fmt: skip
def test_a_webhook_goes_nowhere_without_encryption(url):
    with pytest.raises(ValueError, match="must"):
        address(url)


@pytest.mark.parametrize(
    "url", ["https://example.test/a?b=c", "http://127.0.0.1:9/x", "http://localhost/", "http://[::1]:1/"]
)
def test_a_webhook_goes_by_https_or_to_this_machine(url):
    assert address(url) == url
