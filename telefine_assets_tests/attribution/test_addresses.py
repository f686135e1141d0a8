"""The contributor tag: what resolves, what does not, and why."""

import pytest

from telefine_assets.attribution.addresses import (
    AddressError,
    Unresolved,
    checksum_address,
    is_checksummed,
    require_wallet,
    resolve_contributor,
)

# The examples of EIP-55 itself.
EIP55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


@pytest.mark.parametrize("address", EIP55)
def test_the_examples_of_eip_55_resolve_to_themselves_in_every_spelling(address):
    spellings = [address, address.lower(), "0x" + address[2:].upper(), "0X" + address[2:].upper(), f" {address}\n"]
    assert {resolve_contributor(spelling).address for spelling in spellings} == {address}
    assert is_checksummed(address)


@pytest.mark.parametrize(
    ("tag", "reason"),
    [
        (None, Unresolved.MISSING),
        ("", Unresolved.MISSING),
        ("  ", Unresolved.MISSING),
        (7, Unresolved.NOT_AN_ADDRESS),
        ("alice", Unresolved.NOT_AN_ADDRESS),
        (EIP55[4][2:], Unresolved.NOT_AN_ADDRESS),
        (EIP55[4][:-1], Unresolved.NOT_AN_ADDRESS),
        (EIP55[4] + "0", Unresolved.NOT_AN_ADDRESS),
        ("0x" + "\uff11" * 40, Unresolved.NOT_AN_ADDRESS),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed", Unresolved.BAD_CHECKSUM),
        ("0x" + "0" * 40, Unresolved.ZERO_ADDRESS),
        ("alice.eth", Unresolved.ENS_NAME),
        ("pay.alice.eth", Unresolved.ENS_NAME),
        ("1.5", Unresolved.NOT_AN_ADDRESS),
    ],
)
def test_what_names_no_wallet_says_why(tag, reason):
    resolved = resolve_contributor(tag)
    assert (resolved.address, resolved.reason) == (None, reason)


def test_one_wrong_letter_in_a_checksummed_address_is_noticed():
    address = EIP55[4]
    for i in range(2, 42):
        if address[i].isalpha():
            assert resolve_contributor(address[:i] + address[i].swapcase() + address[i + 1 :]).address is None


def test_the_checksum_is_that_of_eth_utils():
    from eth_utils import to_checksum_address

    for i in range(200):
        raw = (i * 2**150 + i * 7919 + 1).to_bytes(20, "big")
        assert checksum_address(raw) == to_checksum_address(raw)


def test_an_error_names_the_field():
    with pytest.raises(AddressError, match=r"payee: .* zero"):
        require_wallet("0x" + "0" * 40, "payee")
