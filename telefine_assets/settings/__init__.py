"""The settings of a deployment: telefine.yaml, its profiles, and TELEFINE_* variables."""
