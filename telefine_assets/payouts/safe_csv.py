"""A payout as the Safe wallet's CSV airdrop reads it.

Amounts are written in whole tokens, as exact decimals made from integers: no
float comes near them. The escrow belongs to nobody whom one could pay, so that
it is never in the file.

Source: https://github.com/bh2smith/safe-airdrop (asset transfers)
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

from telefine_assets.attribution.addresses import require_wallet
from telefine_assets.payouts.plan import MAX_UINT256, Payment, PayoutError

HEADER = ["token_type", "token_address", "receiver", "amount", "id"]
MAX_DECIMALS = 36

_WHOLE_TOKENS = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]*[1-9]))?")


def whole_tokens(amount: int, decimals: int) -> str:
    """``amount`` smallest units in whole tokens, exact and without trailing zeros.

    Raises:
        PayoutError: an amount outside 0 to 2**256 - 1, or decimals outside 0 to 36.
    """
    _check_decimals(decimals)
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 <= amount <= MAX_UINT256:
        raise PayoutError(f"amount: expected smallest units, 0 to 2**256 - 1, found {amount!r}.")
    whole, rest = divmod(amount, 10**decimals)
    return f"{whole}.{rest:0{decimals}d}".rstrip("0").rstrip(".") if rest else str(whole)


def smallest_units(text: str, decimals: int) -> int:
    """The integer that ``whole_tokens`` wrote.

    Raises:
        PayoutError: any other spelling, or more digits than the token has.
    """
    _check_decimals(decimals)
    found = _WHOLE_TOKENS.fullmatch(text)
    rest = (found.group(2) or "") if found else ""
    if found is None or len(rest) > decimals:
        raise PayoutError(f"amount: {text!r} is no amount of a token with {decimals} decimals.")
    return int(found.group(1)) * 10**decimals + int(rest.ljust(decimals, "0") or "0")


def safe_csv(payments: Iterable[Payment], token_address: str, decimals: int) -> bytes:
    """The airdrop of one payout's payments, in their order.

    Args:
        payments: what is paid; the escrow is no part of it.
        token_address: the ERC-20 token, EIP-55.
        decimals: the token's, 0 to 36.

    Raises:
        PayoutError: no payments, or decimals out of range.
        AddressError: ``token_address`` is no checksummed address.
    """
    require_wallet(token_address, "token_address")
    rows = [
        ["erc20", token_address, payment.address, whole_tokens(payment.amount, decimals), ""] for payment in payments
    ]
    if not rows:
        raise PayoutError("This payout pays no wallet, so that there is nothing to airdrop.")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER, *rows])
    return text.getvalue().encode("ascii")


def read_safe_csv(data: bytes, token_address: str, decimals: int) -> tuple[Payment, ...]:
    """The payments of a file that ``safe_csv`` wrote, as integers.

    Raises:
        PayoutError: another header, token, kind of row or spelling of an amount.
    """
    header, *rows = csv.reader(io.StringIO(data.decode("ascii")))
    if header != HEADER:
        raise PayoutError(f"airdrop: expected the columns {HEADER}, found {header}.")
    payments = []
    for kind, token, receiver, amount, token_id in rows:
        if (kind, token, token_id) != ("erc20", token_address, ""):
            raise PayoutError(f"airdrop: the row of {receiver} is no ERC-20 transfer of {token_address}.")
        payments.append(Payment(require_wallet(receiver, "receiver"), smallest_units(amount, decimals)))
    return tuple(payments)


def _check_decimals(decimals: object) -> None:
    if isinstance(decimals, bool) or not isinstance(decimals, int) or not 0 <= decimals <= MAX_DECIMALS:
        raise PayoutError(f"decimals: expected 0 to {MAX_DECIMALS}, found {decimals!r}.")
