"""The mint request: its digest to the byte, and nothing encoded that is not what it seems."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telefine_assets.attribution.addresses import AddressError
from telefine_assets.attribution.allocation import AllocationError
from telefine_assets.attribution.records import RecordError
from telefine_assets.attribution.weights import EscrowLine, WeightLine, WeightTable
from telefine_assets.payouts.mint_request import Contributor, MintRequest, benchmark_spec_hash, idempotency_key
from telefine_assets.payouts.minting import basis_points, contributors_of
from telefine_assets.payouts.plan import PayoutError
from telefine_assets_tests.payouts.mint import DIGEST, KNOWN, STRUCT_HASH, known, request
from telefine_assets_tests.payouts.test_plan import TABLES, table, wallet

SHARES = st.dictionaries(st.integers(0, 400).map(wallet), st.integers(1, 10**30), min_size=1, max_size=40)


def test_the_known_answer_comes_out_to_the_byte():
    from eth_account.messages import encode_typed_data

    assert request().digest == DIGEST
    assert "0x" + encode_typed_data(full_message=request().typed_data()).body.hex() == STRUCT_HASH


def test_the_idempotency_key_of_the_known_answer_follows_from_model_and_attestation():
    anchors = KNOWN["payload"]["anchors"]
    assert idempotency_key(int(KNOWN["modelId"]), anchors["attestationHash"]) == anchors["idempotencyKey"]
    with pytest.raises(RecordError):
        idempotency_key(1, anchors["attestationHash"][2:])


def test_a_specification_is_known_by_the_keccak_of_its_id():
    # Keccak-256 of "abc", not SHA3-256.
    assert benchmark_spec_hash("abc") == "0x4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"
    with pytest.raises(RecordError):
        benchmark_spec_hash("")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("domain__chainId", 1),
        ("domain__verifyingContract", wallet(1)),
        ("modelId", "1"),
        ("payload__pipelineRunId", "other"),
        *((f"payload__{name}", 7) for name, value in KNOWN["payload"].items() if isinstance(value, int)),
        ("payload__baselineCommitment", "0x" + "cc" * 32),
        ("payload__candidateCommitment", "0x" + "cc" * 32),
        *(
            (f"payload__anchors__{name}", "0x" + "cc" * 32 if value.startswith("0x") else "other")
            for name, value in KNOWN["payload"]["anchors"].items()
        ),
        ("contributors", KNOWN["contributors"][::-1]),
    ],
)
def test_every_field_and_the_order_of_contributors_are_signed(path, value):
    assert request(**{path: value}).digest != DIGEST


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("extra", 1),
        ("payload__extra", 1),
        ("payload__anchors__extra", 1),
        ("domain__version", "2"),
        ("domain__chainId", 0),
        ("domain__verifyingContract", KNOWN["domain"]["verifyingContract"].lower()),
        ("modelId", "01"),
        ("modelId", str(2**256)),
        ("modelId", -1),
        ("modelId", True),
        ("payload__deadline", 4102444800.0),
        ("payload__deadline", "0x10"),
        ("payload__pipelineRunId", 7),
        ("payload__pipelineRunId", "\ud800"),
        ("payload__baselineCommitment", "0xaa"),
        ("payload__baselineCommitment", "0x" + "AA" * 32),
        ("payload__anchors__datasetHash", "0x" + "a" * 63),
        ("contributors", [{"walletAddress": "0x742d35cc6634c0532925a3b844bc9e7595f62341", "weight": 10000}]),
        ("contributors", [{"walletAddress": wallet(0), "weight": -1}]),
        ("contributors", [{"walletAddress": wallet(0), "weight": 1, "note": ""}]),
    ],
)
def test_what_eth_account_would_take_without_a_word_is_refused(path, value):
    with pytest.raises(RecordError):
        request(**{path: value})


@pytest.mark.parametrize("name", KNOWN["payload"])
def test_a_missing_field_is_refused(name):
    value = known()
    del value["payload"][name]
    with pytest.raises(RecordError, match=name):
        MintRequest.from_json(value)


@given(st.integers(0, 2**256 - 1), st.integers(0, 2**256 - 1), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_request_reads_back_as_it_was(model, cost, name):
    wanted = request(modelId=model, payload__maxCostUsdMicro=cost, payload__anchors__metricName=name)
    again = MintRequest.from_json(json.loads(json.dumps(wanted.to_json())))
    assert (again, again.digest) == (wanted, wanted.digest)


@given(SHARES, st.randoms(use_true_random=False))
def test_basis_points_sum_to_all_of_it_in_any_order(shares, random):
    shuffled = list(shares.items())
    random.shuffle(shuffled)
    contributors = basis_points(shares.items())
    assert sum(each.weight for each in contributors) == 10_000
    assert contributors == basis_points(shuffled)
    assert all(each.weight > 0 for each in contributors)


@given(SHARES)
def test_no_wallet_is_a_basis_point_off_its_exact_part(shares):
    weights = {each.wallet: each.weight for each in basis_points(shares.items())}
    total = sum(shares.values())
    assert all(abs(weights.get(a, 0) * total - 10_000 * share) < total for a, share in shares.items())


@given(SHARES, st.data())
def test_one_wallet_listed_in_several_parts_is_one(shares, data):
    parts = []
    for address, share in shares.items():
        first = data.draw(st.integers(0, share))
        parts += [(address, first), (address, share - first)]
    assert basis_points(parts) == basis_points(shares.items())


def test_the_largest_weight_comes_first_and_ties_go_to_the_lower_address():
    shares = [(wallet(2), 1), (wallet(0), 1), (wallet(1), 1)]
    assert basis_points(shares) == tuple(Contributor(wallet(i), w) for i, w in ((0, 3334), (1, 3333), (2, 3333)))
    assert [each.wallet for each in basis_points([*shares, (wallet(9), 5)])] == [wallet(i) for i in (9, 0, 1, 2)]


def test_a_part_below_a_basis_point_is_left_out():
    assert basis_points([(wallet(0), 999_999), (wallet(1), 1)]) == (Contributor(wallet(0), 10_000),)


def test_basis_points_of_nothing_or_of_no_wallet_are_refused():
    with pytest.raises(AllocationError):
        basis_points([])
    with pytest.raises(AddressError):
        basis_points([(wallet(0).lower() + "0", 1)])


def test_what_is_in_escrow_needs_a_wallet_of_its_own():
    weights = table({0: 1, 1: 1}, {"missing": 1, "ens_name": 1})
    with pytest.raises(PayoutError, match="--escrow-wallet"):
        contributors_of(weights, None)
    with pytest.raises(PayoutError, match="contributor's"):
        contributors_of(weights, wallet(1))
    shared = {each.wallet: each.weight for each in contributors_of(weights, wallet(99))}
    assert shared == {wallet(0): 2500, wallet(1): 2500, wallet(99): 5000}
    with pytest.raises(PayoutError, match="no_demo_used"):
        contributors_of(WeightTable("usage", (), (), "no_demo_used"), None)


@given(TABLES)
def test_an_unresolved_wallet_changes_nobody_elses_weight_by_more_than_the_rounding(weights):
    lost, *kept = weights.lines
    if not kept or weights.escrow:
        return
    after = contributors_of(
        WeightTable("usage", tuple(kept), (EscrowLine("missing", lost.weight_ppm, lost.clusters, ()),)), wallet(999)
    )
    before = {each.wallet: each.weight for each in contributors_of(weights, None)}
    now = {each.wallet: each.weight for each in after}
    assert all(abs(now.get(line.address, 0) - before.get(line.address, 0)) <= 1 for line in kept)


def test_without_an_escrow_the_named_wallet_gets_nothing():
    weights = WeightTable("usage", (WeightLine(wallet(0), 1_000_000, ("a",), ()),), ())
    assert contributors_of(weights, wallet(99)) == (Contributor(wallet(0), 10_000),)
