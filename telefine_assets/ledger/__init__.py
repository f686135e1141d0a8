"""Append-only tables on SQLite or Postgres: looks, log leaves, champions, payouts."""
