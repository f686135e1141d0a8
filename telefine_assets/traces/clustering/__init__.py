"""Near-duplicate inputs: which of them say the same, and which of them must stand on one side.

``assigning.cluster_day`` is the door. Behind it: ``shingles`` (texts to sets
of hashes), ``signatures`` (MinHash, by datasketch), ``matching`` (banding),
``index`` (what is stored of a day), ``recorded`` (what other days say).
"""
