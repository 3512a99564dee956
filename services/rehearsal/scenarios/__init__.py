"""What goes wrong, one module a scenario."""
