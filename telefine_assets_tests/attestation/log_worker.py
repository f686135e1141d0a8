"""Another process that writes to a log: it waits for a line, then writes, and says what the log is like for it."""

import json
import sys
from dataclasses import replace

from telefine_assets.attestation.eas import Envelope
from telefine_assets.attestation.log_receipt import attestation_leaf
from telefine_assets.attestation.log_records import ADMIT, RETIRE, KeyRecord
from telefine_assets.attestation.log_writing import begin, say
from telefine_assets.attestation.signers import LocalKeySigner
from telefine_assets.errors import TelefineError
from telefine_assets.ledger.connection import Ledger
from telefine_assets.ledger.log import LogLeaves
from telefine_assets_tests.attestation.example import ATTESTER, make_example

ORIGIN = "paid"


def rotate(leaves, number):
    """Admit a key of one's own and retire the first one, however often the log grows meanwhile."""
    new = LocalKeySigner(f"{number}{number}" * 32)

    def missing(state):
        wanted = [] if new.address in state.good else [KeyRecord(ADMIT, new.address, f"process {number}")]
        return wanted + ([KeyRecord(RETIRE, ATTESTER.address, "leaves")] if ATTESTER.address in state.good else [])

    say(leaves, ORIGIN, ATTESTER, missing)


def attest(leaves, number):
    """Append a few attestations' leaves."""
    begin(leaves, ORIGIN, ATTESTER)
    envelope = Envelope.from_json(make_example().bundle.envelope)
    for n in range(8):
        message = replace(envelope.message, expiration_time=10_000_000_000 + 100 * int(number) + n)
        leaves.append(f"{number} {n}", attestation_leaf(replace(envelope, message=message)))


def main(what, url, number):
    leaves = LogLeaves(Ledger(url))
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        {"rotate": rotate, "attest": attest}[what](leaves, number)
        print(json.dumps("done"))
    except TelefineError as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))


if __name__ == "__main__":
    main(*sys.argv[1:])
