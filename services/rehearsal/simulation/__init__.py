"""Cause and effect: controllers, scheduler and kubelets over simulated time."""
