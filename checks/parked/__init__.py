"""Parked domains: they send nothing, and must say so, or others send in their name."""
