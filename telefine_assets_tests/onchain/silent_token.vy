# pragma version 0.4.3
# pragma evm-version paris

"""
@notice A token for tests that answers a transfer with nothing at all, as USDT does.
"""

decimals: public(constant(uint8)) = 18
balanceOf: public(HashMap[address, uint256])


@deploy
def __init__(supply: uint256):
    self.balanceOf[msg.sender] = supply


@external
def transfer(receiver: address, amount: uint256):
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
