"""The rows: each module has one, or a family, in `ROWS` by name."""
