"""How many batches of validation items tell how sure a demo's value is.

In a module of their own, for the settings name them and shall not load the rest.
"""

LEAST_BATCHES = 20
"""With fewer, the spread between them says too little."""
MOST_BATCHES = 50
