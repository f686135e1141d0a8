# pragma version 0.4.3
# pragma evm-version paris
# Paris is the oldest rule set that every EVM chain in use has passed: no newer opcode is needed.

"""
@title Cumulative Merkle distributor
@license Apache-2.0
@notice Pays every account what it has ever earned minus what it has claimed here.
@dev The tree is OpenZeppelin's StandardMerkleTree (npm @openzeppelin/merkle-tree) over
     (address account, uint256 totalEverEarned). One contract serves one program and one token.

     What is trusted: the owner decides what is owed, by setting the root. An owner who lies, or whose
     key is stolen, can pay everything that this contract holds to anyone. No rule in here could hinder
     that, so there is none that pretends to: let a multi-signature wallet be the owner, and fund the
     contract with what is owed, not with more. For the same reason there is no way to take tokens out
     but a claim: whatever was put in is there for claims, and tokens of other kinds are lost.

     What is not trusted: whoever calls, and the token, as far as re-entrance and missing return values
     go. Tokens that take a fee on transfer deliver less than `amount`; tokens whose balances shrink can
     leave later claims unpaid. Do not use either.

     There is no proxy, no delegate call and no pause: this code is what will run.
"""

from ethereum.ercs import IERC20


event RootSet:
    epoch: indexed(uint256)
    root: bytes32


event Claimed:
    account: indexed(address)
    amount: uint256
    total: uint256


event OwnershipTransferStarted:
    previous_owner: indexed(address)
    new_owner: indexed(address)


event OwnershipTransferred:
    previous_owner: indexed(address)
    new_owner: indexed(address)


# A tree of 2**64 leaves cannot be built; a longer proof is no proof.
MAX_PROOF: constant(uint256) = 64

token: public(immutable(IERC20))

owner: public(address)
pending_owner: public(address)

# The root in force and how many there have been. Before the first one the root is zero, for which
# no proof can be found.
root: public(bytes32)
epoch: public(uint256)

claimed: public(HashMap[address, uint256])

# Everything ever paid out. With the tree's total it says how much must still be held here.
total_claimed: public(uint256)


@deploy
def __init__(token_: address, owner_: address):
    # A mistyped token can never be put right: it is part of the code.
    assert token_.is_contract, "token is no contract"
    assert owner_ != empty(address), "owner is zero"
    token = IERC20(token_)
    self.owner = owner_
    log OwnershipTransferred(previous_owner=empty(address), new_owner=owner_)


@external
def set_root(root: bytes32, epoch: uint256):
    """
    @notice Put a new tree in force.
    @dev The caller names the epoch, so that a transaction that was signed for an earlier state (sent
         twice, or stuck and mined late) is refused instead of bringing an old tree back. A root may
         come again under a new epoch: that is how an owner takes back a wrong one. No root can make
         anyone pay back, or be paid again what was claimed.
    """
    assert msg.sender == self.owner, "not the owner"
    assert epoch == self.epoch + 1, "not the next epoch"
    assert root != empty(bytes32), "root is zero"
    self.root = root
    self.epoch = epoch
    log RootSet(epoch=epoch, root=root)


@external
@nonreentrant
def claim(account: address, total: uint256, proof: DynArray[bytes32, MAX_PROOF]):
    """
    @notice Pay `account` what it has earned and not yet claimed.
    @dev Anyone may call and pay the gas: the tokens go to `account` and nowhere else.
    @param total What the account has ever earned by the tree in force, in the token's smallest unit.
    @param proof Siblings from the account's leaf up to the root.
    """
    assert self._node_above(self._leaf(account, total), proof) == self.root, "bad proof"
    claimed: uint256 = self.claimed[account]
    # Not an underflow that happens to revert: a tree may lower a total, and then nothing is owed.
    assert total > claimed, "nothing to claim"
    amount: uint256 = total - claimed
    # Before the transfer: a token that calls back finds the claim already paid.
    self.claimed[account] = total
    self.total_claimed += amount
    log Claimed(account=account, amount=amount, total=total)
    # Some tokens return nothing (USDT); one that returns false has not paid.
    assert extcall token.transfer(account, amount, default_return_value=True), "transfer failed"


@external
def transfer_ownership(new_owner: address):
    """
    @notice Offer the contract to a new owner, who must accept; zero withdraws the offer.
    @dev In two steps, because an address that nobody controls would end all payouts. For the same
         reason ownership cannot be given up.
    """
    assert msg.sender == self.owner, "not the owner"
    self.pending_owner = new_owner
    log OwnershipTransferStarted(previous_owner=msg.sender, new_owner=new_owner)


@external
def accept_ownership():
    """
    @notice Become the owner, when it was offered to the caller.
    """
    assert msg.sender == self.pending_owner, "not the pending owner"
    log OwnershipTransferred(previous_owner=self.owner, new_owner=msg.sender)
    self.owner = msg.sender
    self.pending_owner = empty(address)


@internal
@pure
def _leaf(account: address, total: uint256) -> bytes32:
    # Hashed twice: what a leaf hashes last has 32 bytes, an inner node 64, so neither passes for the other.
    return keccak256(keccak256(abi_encode(account, total)))


@internal
@pure
def _node_above(leaf: bytes32, proof: DynArray[bytes32, MAX_PROOF]) -> bytes32:
    # Children are hashed in ascending order, so that a proof needs no directions.
    node: bytes32 = leaf
    for sibling: bytes32 in proof:
        if convert(node, uint256) < convert(sibling, uint256):
            node = keccak256(concat(node, sibling))
        else:
            node = keccak256(concat(sibling, node))
    return node
