# Sourced: what must be there first; installed where apt and root allow it, else named.
PACKAGES="containerd runc containernetworking-plugins iptables nftables conntrack socat ebtables iproute2 debootstrap gcc libc6-dev openssl curl docker-registry buildah procps"
PROGRAMS="containerd ctr runc iptables nft conntrack socat ip debootstrap gcc openssl curl docker-registry buildah nsenter sysctl"

lacking() {
  local program
  for program in $PROGRAMS; do if ! command -v "$program" >/dev/null; then printf '%s ' "$program"; fi; done
  if [ ! -x /usr/lib/cni/bridge ]; then printf 'containernetworking-plugins '; fi
}

install_packages() { # their services are not started: a registry of the distribution's would take ours its port
  local policy=/usr/sbin/policy-rc.d ours="" failed=""
  if [ ! -e "$policy" ]; then
    ours=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
  fi
  { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $PACKAGES; } >"$LOG/apt.log" 2>&1 || failed=yes
  if [ -n "$ours" ]; then rm "$policy"; fi
  [ -z "$failed" ] || fail "apt-get: see $LOG/apt.log: $(tail -n 2 "$LOG/apt.log")"
}

prerequisites() {
  [ "$(uname -s)" = Linux ] || fail "got $(uname -s), must be Linux: use kind, or give KUBECONFIG"
  [ "$(id -u)" = 0 ] || fail "got user $(id -un), must be root: network namespaces and mounts are made. Use kind, or give KUBECONFIG"
  command -v go >/dev/null || fail "go: missing; binaries are built from Go modules: https://go.dev/dl (1.25 or later)"
  command -v python3 >/dev/null || fail "python3: missing"
  mkdir -p "$LOG"
  if [ -n "$(lacking)" ]; then
    command -v apt-get >/dev/null || fail "missing: $(lacking); install Debian's $PACKAGES or your system's equivalents"
    say "installing Debian packages for: $(lacking)"
    install_packages
    [ -z "$(lacking)" ] || fail "still missing after apt-get: $(lacking)"
  fi
  local free
  mkdir -p "$DIR"
  free=$(df --output=avail -BG "$DIR" | tail -n 1 | tr -dc 0-9)
  # 13 GB of Go's build cache, 3 of binaries and images, 3 of unpacked images
  [ -x "$BIN/kubelet" ] || [ "$free" -ge 20 ] || fail "$DIR: got $free GB free, must be at least 20 for the first build"
}
