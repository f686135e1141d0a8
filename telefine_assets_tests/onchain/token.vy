# pragma version 0.4.3
# pragma evm-version paris

"""
@notice A token for tests: well-behaved, until it is told to lie or to call back.
"""

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    amount: uint256


decimals: public(constant(uint8)) = 18
balanceOf: public(HashMap[address, uint256])
lies: bool
called_back: address
calls_back_with: Bytes[4096]
refused: public(uint256)


@deploy
def __init__(supply: uint256):
    self.balanceOf[msg.sender] = supply


@external
def lie():
    self.lies = True


@external
def call_back(contract: address, data: Bytes[4096]):
    self.called_back = contract
    self.calls_back_with = data


@external
def transfer(receiver: address, amount: uint256) -> bool:
    if self.lies:
        return False
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=msg.sender, receiver=receiver, amount=amount)
    if self.called_back != empty(address):
        if not raw_call(self.called_back, self.calls_back_with, revert_on_failure=False):
            self.refused += 1
    return True
