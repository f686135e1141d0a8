"""Alerts to send."""

from telefine_assets.alerts.records import Kind, Raised, Severity, alert

NOW = 1_795_450_000_000


def champion(number=1, program="tickets", reason="attestation 0x1"):
    return alert(
        Kind.CHAMPION_CHANGED,
        program,
        str(number),
        Severity.INFO,
        f"{program}: version {number} serves",
        what=f"It serves.\nWhy: {reason}",
        where="`telefine programs history`.",
        cure="Load it.",
    )


def raised(number=1):
    return Raised(champion(number), NOW)
