"""A simulated estate that speaks the real wire protocols on loopback: for the demo, for drills and for tests."""
