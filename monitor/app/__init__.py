"""The composition root: wires everything, by keyword."""
