"""What conntrack prints, read: the end that a Service's address was turned into, and when."""

from tests.e2e.flows.conntrack import Connection, parsed

NEW = (
    "[1795293310.262558]\t    [NEW] tcp      6 120 SYN_SENT src=10.244.4.27 dst=10.96.7.1 sport=46622 dport=80"
    " [UNREPLIED] src=10.244.1.18 dst=10.244.4.27 sport=8080 dport=46622"
)
LISTED = (
    "[1795293300.5] udp      17 24 src=10.244.3.59 dst=10.96.0.10 sport=50394 dport=53"
    " src=10.244.1.2 dst=10.244.3.59 sport=53 dport=50394 mark=0 use=1"
)
PING = (
    "[NEW] icmp 1 30 src=10.90.0.1 dst=10.90.0.2 type=8 code=0 id=1"
    " [UNREPLIED] src=10.90.0.2 dst=10.90.0.1 type=0 code=0 id=1"
)
SIX = (
    "[NEW] tcp 6 120 SYN_SENT src=fe80::1 dst=fe80::2 sport=1 dport=2"
    " [UNREPLIED] src=fe80::2 dst=fe80::1 sport=2 dport=1"
)


def test_a_service_is_read_as_the_pod_that_answered() -> None:
    ((at, found),) = parsed(NEW, 0.0)
    assert found == Connection("10.244.4.27", "10.244.1.18", 8080, "TCP")
    assert at == 1795293310.262558


def test_datagrams_and_what_was_there_before() -> None:
    ((at, found),) = parsed(LISTED, 0.0)
    assert found == Connection("10.244.3.59", "10.244.1.2", 53, "UDP")
    assert at == 1795293300.5


def test_what_has_no_port_is_left_out() -> None:
    assert list(parsed("\n".join([PING, SIX, "conntrack v1.4.7: 3 flow entries have been shown."]), 0.0)) == []
