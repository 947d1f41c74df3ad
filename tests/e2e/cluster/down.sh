# Sourced: the end of a cluster. Only recorded processes, our cgroups, our namespaces and our folders are touched.
FIXED="/run/netns /run/containerd /var/lib/cni /var/log/containers /var/lib/kubelet /etc/cni /usr/libexec/kubernetes" # paths that kubelets, shims and plugins know by heart

remember() { # which of the fixed folders are ours to remove
  local folder
  if [ -f "$CONF/made" ]; then return; fi
  for folder in $FIXED; do if [ ! -e "$folder" ]; then echo "$folder"; fi; done >"$CONF/made"
}

shared_namespaces() { # `ip netns add` binds this folder onto itself; done after pods exist, their namespaces could not be taken away
  mkdir -p /run/netns
  if mountpoint -q /run/netns; then return; fi
  mount --bind /run/netns /run/netns
  mount --make-rshared /run/netns
  touch "$CONF/netns.bound"
}

forget_lost_nodes() { # the objects of nodes that are not running would draw pods until their grace ends
  local n
  for n in $(seq 9); do
    if ! alive "kubelet-$n"; then kc delete "node/$(node_name "$n")" --ignore-not-found >/dev/null; fi
  done
}

contained() { # N: process ids in the node's cgroups
  local folder
  for folder in /sys/fs/cgroup/pids /sys/fs/cgroup; do
    if [ -d "$folder/$(netns "$1")" ]; then
      find "$folder/$(netns "$1")" -name cgroup.procs -exec cat {} +
      return
    fi
  done
}

shims() { # N: one a pod, children of nobody once their containerd is gone
  grep -lszF -- "$RUN/$1/containerd.sock" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 | while read -r id; do
    case $(tr '\0' ' ' 2>/dev/null <"/proc/$id/cmdline") in *containerd-shim*) echo "$id" ;; esac
  done
}

kill_contained() { # N: until none is left
  local tries=0 left
  while left="$(contained "$1") $(shims "$1")" && [ -n "${left// /}" ]; do
    kill -9 $left 2>/dev/null || sleep 0.05 # some had ended meanwhile
    tries=$((tries + 1))
    [ $tries -lt 200 ] || fail "node $1: still running after SIGKILL: $left"
    sleep 0.05
  done
}

lose() { # N: as if its power were cut
  case $1 in [1-9]) ;; *) fail "got node $1, must be 1 to $NODES" ;; esac
  ip link set "mainline-v$1" down
  signal KILL "kubelet-$1" "proxy-$1" "containerd-$1"
  kill_contained "$1"
  say "$(node_name "$1") lost"
}

unmount() { # FOLDER...: what is mounted at or below
  local folder mount
  for folder in "$@"; do
    awk -v at="$folder" '$2 == at || index($2, at "/") == 1 {print $2}' /proc/mounts
  done | sort -r | while read -r mount; do
    umount "$mount" 2>>"$LOG/down.log" || umount -l "$mount" # lazily where a process still looks at it
  done
}

pod_namespaces() { # our pods' network namespaces: the other ends of the links on our nodes' bridges
  local n
  for n in $(seq 9); do
    if [ -e "/run/netns/$(netns "$n")" ]; then inside "$n" ip -o link show type veth | sed -n 's/.* link-netns \(cni-[0-9a-f-]*\).*/\1/p'; fi
  done
}

networks() {
  local name link names
  names="$(pod_namespaces) $(for n in $(seq 9); do netns "$n"; done)"
  for link in $(basename -a /sys/class/net/mainline*); do # before the namespaces: those take their ends away some time later
    if [ -e "/sys/class/net/$link" ]; then ip link del "$link"; fi
  done
  for name in $names; do
    if [ -e "/run/netns/$name" ]; then ip netns del "$name"; fi
  done
  if [ -f "$CONF/netns.bound" ] && [ -z "$(ls /run/netns)" ]; then
    if mountpoint -q /run/netns; then umount /run/netns; fi
    rm "$CONF/netns.bound"
  fi
}

traces() { # files in folders that others may use too: ours are known by what they name
  local file
  if [ -d /var/log/containers ]; then find /var/log/containers -type l -lname "$STATE/*" -delete; fi
  for file in /var/lib/cni/results/mainline-*-eth0; do
    if [ ! -e "$file" ]; then continue; fi
    rm -f "$file" "${file%/*}/cni-loopback-$(basename "$file" | cut -d- -f2)-lo"
  done
}

cgroups() {
  local tries
  for tries in $(seq 50); do
    find /sys/fs/cgroup -depth -type d -path '*/mainline-n[1-9]*' -exec rmdir {} + 2>>"$LOG/down.log" && return
    sleep 0.1 # the kernel takes a moment to let go of an ended process
  done
  fail "cgroups: still in use: $(find /sys/fs/cgroup -maxdepth 2 -name 'mainline-n[1-9]')"
}

stop_all() {
  local n all
  all=$(seq 9)
  stop $(printf 'kubelet-%s ' $all) # first, so that nothing is started again
  for n in $all; do kill_contained "$n"; done
  sleep 0.5 # containerd takes away the ended pods' mounts
  stop registry scheduler controller-manager $(printf 'proxy-%s ' $all) $(printf 'containerd-%s ' $all)
  for n in $all; do kill_contained "$n"; done
  stop apiserver
  stop etcd
  say "processes ended"
  unmount "$DIR/kubelet" "$DIR/containerd" "$RUN"
  networks
  traces
  cgroups
  if [ -f "$CONF/sysctl.saved" ]; then
    sysctl -qp "$CONF/sysctl.saved"
    rm "$CONF/sysctl.saved"
  fi
  rm -rf "$RUN"
}

down() {
  local folder
  mkdir -p "$LOG" "$PID" "$CONF"
  stop_all
  if [ -f "$CONF/made" ]; then while read -r folder; do rm -rf "$folder"; done <"$CONF/made"; fi
  rm -rf "$PKI" "$CONF" "$PID" "$STATE" "$DIR/kubelet"
  if [ -n "${PURGE:-}" ]; then rm -rf "$DIR"; fi
  say "down"
}
