"""Append-only tables on SQLite or PostgreSQL: looks, log leaves, champions, payouts, answers, audit; and turns."""
