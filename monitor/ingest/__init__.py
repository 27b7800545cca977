"""Events from outside: authenticated, validated, normalised, counted once."""
