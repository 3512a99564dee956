"""The protocol side: HTTP, discovery, list, watch, Table, logs."""
