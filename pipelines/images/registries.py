"""Addresses of image registries, and which of them may be spoken to without TLS."""

import ipaddress
import re
import socket

_ADDRESS = re.compile(r"[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*")


def problems(registry: str, *, plain_http: bool) -> list[str]:
    """What is wrong with `host[:port][/path]`, one line each."""
    if not _ADDRESS.fullmatch(registry):
        return [f"registry: got {registry!r}, must be host[:port][/path], such as ghcr.io/you or 127.0.0.1:5000"]
    if plain_http and not is_near(host_of(registry)):
        return [f"registry: got {registry}, plain http is for loopback and private addresses only: leave it out"]
    return []


def host_of(reference: str) -> str:
    """The `host[:port]` of a registry's or an image's address; docker.io where it names none."""
    first, slash, _ = reference.partition("/")
    is_host = not slash or "." in first or ":" in first or first == "localhost"
    return first if is_host else "docker.io"


def is_near(host: str) -> bool:
    """Whether every address of `host[:port]` is a loopback or a private one; False where it has none."""
    name = host.rpartition(":")[0] or host
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(name, None)}
    except OSError:
        return False
    addresses = [ipaddress.ip_address(each.partition("%")[0]) for each in found]
    return bool(addresses) and all(address.is_private or address.is_loopback for address in addresses)
