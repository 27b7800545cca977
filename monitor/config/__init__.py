"""The configuration: one YAML file and the environment become a `ValidConfig`, or located errors."""
