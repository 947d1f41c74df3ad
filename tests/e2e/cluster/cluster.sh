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
  local file name id rss total=0 n used
  for file in "$PID"/*; do
    [ -e "$file" ] || fail "no cluster is up"
    name=$(basename "$file")
    if ! alive "$name"; then
      printf '%-20s not running\n' "$name"
      continue
    fi
    id=$(cut -d' ' -f1 "$file")
    rss=$(($(awk '/VmRSS/{print $2}' "/proc/$id/status") / 1024))
    total=$((total + rss))
    printf '%-20s pid %-7s %5d MiB\n' "$name" "$id" "$rss"
  done
  for n in $(seq 9); do
    used=$(pods_memory "$n")
    if [ -z "$used" ]; then continue; fi
    total=$((total + used))
    printf '%-20s             %5d MiB\n' "pods of $(node_name "$n")" "$used"
  done
  printf '%-20s             %5d MiB\n' "all" "$total"
}

pods_memory() { # N: what its pods use and the kernel could not take back, in MiB; nothing for a node that is not there
  local v1=/sys/fs/cgroup/memory/$(netns "$1") v2=/sys/fs/cgroup/$(netns "$1")
  if [ -e "$v1/memory.usage_in_bytes" ]; then
    echo $((($(cat "$v1/memory.usage_in_bytes") - $(awk '/^total_inactive_file/{print $2}' "$v1/memory.stat")) / 1048576))
  elif [ -e "$v2/memory.current" ]; then
    echo $((($(cat "$v2/memory.current") - $(awk '/^inactive_file/{print $2}' "$v2/memory.stat")) / 1048576))
  fi
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
