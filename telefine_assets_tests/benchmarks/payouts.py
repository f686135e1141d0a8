"""Paying 100,000 wallets: the tree, every proof verified, and every file to pay by.

Run: python -m telefine_assets_tests.benchmarks.payouts [wallets]
Limits: 100,000 wallets within 30 s and 1,000 MB on two cores, from the totals to the
claims document, OpenZeppelin's dump and the Safe CSV. The peer, murky-tree, makes and
verifies the same tree and proofs (it writes no files) for a tenth of the wallets,
since it takes its time; the ratio is at that size, and root and dump must be equal.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

from telefine_assets_tests.benchmarks.measuring import measured
from telefine_assets_tests.benchmarks.results import Result, report

HERE = "telefine_assets_tests.benchmarks.payouts"
WALLETS, SECONDS, MEGABYTES = 100_000, 30, 1_000
TOKEN, DECIMALS = "0x52908400098527886E0F7030069857D2E4169EE7", 18


def payments(count: int) -> list[Any]:
    """Payments to some wallets, ascending by address, each of some tokens and a rest."""
    from telefine_assets.attribution.addresses import address_order, checksum_address
    from telefine_assets.payouts.plan import Payment

    digests = (hashlib.sha256(b"%d" % number).digest() for number in range(count))
    made = [Payment(checksum_address(each[:20]), 1 + int.from_bytes(each[20:29], "big")) for each in digests]
    return sorted(made, key=lambda payment: address_order(payment.address))


def ours(count: int, all_files: bool) -> dict[str, Any]:
    """Build the tree, prove and verify every claim; with ``all_files`` write and read back what there is to pay by."""
    from telefine_assets.payouts.cumulative import CumulativeTotals, build_claims
    from telefine_assets.payouts.exports import claims_document
    from telefine_assets.payouts.safe_csv import read_safe_csv, safe_csv

    claims = build_claims(CumulativeTotals(tuple(payments(count))))
    sizes = [len(claims_document(claims))]
    dump = claims.dump_bytes() or b""
    if all_files:
        airdrop = safe_csv(claims.totals.wallets, TOKEN, DECIMALS)
        if read_safe_csv(airdrop, TOKEN, DECIMALS) != claims.totals.wallets:
            raise AssertionError("the airdrop does not read back as what is paid")
        sizes += [len(dump), len(airdrop)]
    return {"root": claims.root, "bytes": sum(sizes), "dump": hashlib.sha256(dump).hexdigest()}


def peer(count: int) -> dict[str, Any]:
    """The same tree and proofs by murky-tree, each proof verified."""
    from murky_tree import StandardMerkleTree

    values = [[payment.address, payment.amount] for payment in payments(count)]
    tree = StandardMerkleTree.of(values, ["address", "uint256"])
    if not all(tree.verify_leaf(index, tree.get_proof(index)) for index in range(count)):
        raise AssertionError("murky-tree does not verify its own proofs")
    return {"root": tree.root}


def main(count: int = WALLETS) -> Iterator[Result]:
    """Measure all files, and a tenth of the wallets beside murky-tree."""
    done = measured(HERE, "ours", count, True)
    what = f"{count:,} wallets: tree, proofs and all files"
    yield Result(what, done.seconds, "s", SECONDS)
    yield Result(f"{what}: memory", done.peak_mb, "MB", MEGABYTES)
    small = count // 10
    mine, theirs = measured(HERE, "ours", small, False), measured(HERE, "peer", small)
    if mine.said["root"] != theirs.said["root"]:
        raise AssertionError(f"another root than murky-tree's: {mine.said['root']}, {theirs.said['root']}")
    yield Result(f"{small:,} wallets: tree and proofs", mine.seconds, "s", None, "murky-tree", theirs.seconds)


if __name__ == "__main__":
    report(main)
