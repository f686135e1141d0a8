"""The proof: statement, EAS envelope, transparency log, verification."""
