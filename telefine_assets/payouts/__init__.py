"""The money: integer amounts and the cumulative Merkle tree to claim them from."""
