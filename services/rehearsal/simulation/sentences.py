"""Kubelets' messages, word for word as operators know them from `kubectl describe`."""

from __future__ import annotations

import zlib


def pulled(image: str, seconds: float) -> str:
    """Return the message of a finished pull; the size depends on the image alone."""
    size = 20_000_000 + zlib.crc32(image.encode()) % 180_000_000
    took = f"{seconds:.3f}s"
    return f'Successfully pulled image "{image}" in {took} ({took} including waiting). Image size: {size} bytes.'


def present(image: str) -> str:
    """Return the message of an image that needs no pull."""
    return f'Container image "{image}" already present on machine and can be accessed by the pod'


def pull_error(image: str) -> str:
    """Return the runtime's error for an image that is not in its registry."""
    return (
        f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": '
        f'failed to resolve reference "{image}": {image}: not found'
    )


def not_ready(address: str, port: int) -> str:
    """Return the message of a readiness probe that got no answer in time."""
    return f"Readiness probe failed: {timed_out(address, port, '/ready')}"


def timed_out(address: str, port: int, path: str) -> str:
    """Return why a probe failed that got no answer in time."""
    cause = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    return f'Get "http://{address}:{port}{path}": {cause}'


def back_off(seconds: float) -> str:
    """Write a back-off as Go writes durations: 10s, 2m40s, 5m0s."""
    whole = int(seconds)
    return f"{whole}s" if whole < 60 else f"{whole // 60}m{whole % 60}s"
