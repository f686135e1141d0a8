"""What importing these packages costs: nothing heavy."""

import subprocess
import sys


def test_importing_the_domain_loads_no_heavy_library():
    program = (
        "import sys, telefine_assets.attestation.verify, telefine_assets.attestation.signers, "
        "telefine_assets.payouts.cumulative, telefine_assets.attribution.facts\n"
        "heavy = {'eth_account', 'eth_abi', 'eth_keys', 'eth_utils', 'pandas', 'dagster', 'mlflow', 'dspy'}\n"
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or None)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")
