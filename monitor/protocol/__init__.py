"""Pure knowledge of protocols and formats: one module each, no I/O and no clock."""
