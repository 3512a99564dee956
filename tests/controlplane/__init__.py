"""A real Kubernetes control plane on loopback: etcd, the servers, kubectl, and simulated nodes."""
