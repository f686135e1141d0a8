"""The `telefine` command."""
