"""Results, baselines and event buckets. One process owns the state."""
