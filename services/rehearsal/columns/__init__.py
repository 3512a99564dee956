"""The columns that the server prints for each resource."""
