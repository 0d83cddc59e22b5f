"""The samplers: each proposes the values of the next trial."""
