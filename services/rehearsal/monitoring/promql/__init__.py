"""The part of PromQL that the estate understands."""
