"""What can be seen of Telefine's own work: logs, counts, traces, errors. No domain package knows of it."""
