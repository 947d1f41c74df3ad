#!/bin/bash
# A real Kubernetes on one Linux machine: plain processes, no container engine, no systemd. Needs root.
#   cluster.sh up            binaries, images, control plane and $NODES nodes; what is there already is kept
#   cluster.sh down          ends it and takes away all that it made but the cache; PURGE=1: the cache too
#   cluster.sh stop          ends it, keeps its state: `up` goes on with it
#   cluster.sh lose N        node N is gone without notice;  cluster.sh node N  brings it back
#   cluster.sh status        processes and their memory
set -euo pipefail
. "$(dirname "$0")/settings.sh"
for part in processes prerequisites pki control-plane node storage down; do . "$HERE/$part.sh"; done

status() {
  local file name
  for file in "$PID"/*; do
    name=$(basename "$file")
    if alive "$name"; then
      printf '%-20s pid %-7s %5d MiB\n' "$name" "$(cut -d' ' -f1 "$file")" "$(($(awk '/VmRSS/{print $2}' "/proc/$(cut -d' ' -f1 "$file")/status") / 1024))"
    else
      printf '%-20s not running\n' "$name"
    fi
  done
}

dns() {
  sed "s/@COREDNS_VERSION@/$COREDNS_VERSION/; s/@DNS_IP@/$DNS_IP/" "$HERE/coredns.yaml" | kc apply --server-side --force-conflicts -f - >/dev/null
}

up() {
  prerequisites
  "$HERE/build.sh"
  mkdir -p "$PKI" "$CONF" "$LOG" "$PID" "$STATE" "$RUN"
  remember
  registry
  "$HERE/images.sh"
  pki
  shared_namespaces
  control_plane
  forget_lost_nodes
  local n
  for n in $(seq "$NODES"); do node "$n"; done
  dns
  volumes
  for n in $(seq "$NODES"); do node_ready "$n"; done
  wait_for 90 "DNS" kc -n kube-system rollout status deployment/coredns --timeout=1s
  say "cluster up: export KUBECONFIG=$ADMIN"
}

command=${1:-}
shift || fail "usage: cluster.sh up | down | stop | node N | lose N | status"
case $command in
  up | down | status) "$command" ;;
  stop) stop_all ;;
  lose) lose "$1" ;;
  node)
    node "$1"
    node_ready "$1"
    ;;
  *) fail "got $command, must be up, down, stop, node N, lose N or status" ;;
esac
