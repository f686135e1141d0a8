"""Language models: the embedded one, the adapter it needs, the journal of calls."""
