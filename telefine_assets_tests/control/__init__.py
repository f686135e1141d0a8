"""Tests of driving a deployment."""
