"""What Telefine knows of traces: schema, sources, cleaning, clusters, splits."""
