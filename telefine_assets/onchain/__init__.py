"""The optional steps on a chain: a contract to claim from, and the transactions that anchor and publish."""
