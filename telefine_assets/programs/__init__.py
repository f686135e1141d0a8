"""What Telefine knows of DSPy programs: specs, strategies, compiling, provenance."""
