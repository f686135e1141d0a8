"""Append-only tables on SQLite: looks, log leaves, champions, payouts."""
