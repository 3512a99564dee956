"""What watches the estate: metrics with cause and effect, rules, a Prometheus and two Alertmanagers."""
