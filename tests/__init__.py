"""The tests; a package, so that the control plane can be shared between them."""
