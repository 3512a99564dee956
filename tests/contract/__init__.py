"""Tests against real servers: etcd, kube-apiserver, its controllers, and simulated nodes."""
