"""The commands of Telefine in plain blocks of the guides, made to fit the deployment of the rehearsals.

Those in ``bash`` blocks are run by e2e/test_line.py in a shell, those of runbooks and examples by tests of their own.
"""

import json
import re
from pathlib import Path

from telefine_assets_tests.runbooks.rehearsal import DAY, PROGRAM, Rehearsed

GUIDES = sorted((Path(__file__).resolve().parents[2] / "docs").glob("*.md"))
ELSEWHERE = {
    "telefine alerts test ops": "cli/test_alerts.py, with somebody who receives",
    "telefine attest verify FOLDER --policy YOURS.json --pin YOURS.json": "runbooks/test_auditing.py",
    "telefine bench growth": "benchmarks/growth.py: it takes minutes",
    'telefine erase contributor 0x52908400098527886E0F7030069857D2E4169EE7 --reason "asked by mail" --by ann': (
        "keeping/test_erasure.py: here every contributor's words serve, and stand until something else does"
    ),
    "telefine restore s3://my-bucket/telefine": "keeping/test_backup.py, where everything was destroyed",
    "telefine doctor": "cli/test_doctor.py, and e2e/test_cluster.py where there are several machines",
}


def commands_of(guide: Path) -> list[str]:
    """Its commands, up to a pipe, a comment or where the output goes; a line that ends in a backslash goes on."""
    blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", guide.read_text(), re.DOTALL | re.MULTILINE)
    plain = "".join(block for language, block in blocks if not language).replace("\\\n", " ")
    found = re.findall(r"(?:^ *|\$\()(telefine [^#|>)\n]+)", plain, re.MULTILINE)
    return [each.strip() for each in found if each.strip() not in ELSEWHERE]


def fitted(lines: list[str], home: Rehearsed) -> list[str]:
    """Commands for this deployment: its day, its attestation, a folder for a bucket."""
    attested = json.loads((home.own / f"store/records/{PROGRAM}/attestations/{DAY}.json").read_text())
    names = {
        r"20\d\d-\d\d-\d\d": DAY,
        r"0x[0-9a-f]+\.\.\.": attested["uid"],
        r"s3://[\w/-]+": "kept",
        r"FOLDER|\./monday|\battested$": "exported",
    }
    for written, meant in names.items():
        lines = [re.sub(written, meant, line) for line in lines]
    return lines
