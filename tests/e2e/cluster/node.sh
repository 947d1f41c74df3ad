# Sourced: one node is a network namespace with its own containerd, kubelet and kube-proxy; kernel and files are shared,
# so a hostPath is the same folder on every node, and every rule and sysctl of its network goes with the namespace.
containerd_config() { # N
  local run=$RUN/$1
  mkdir -p "$CONF/certs.d/_default" "$STATE/$1/cni"
  # one registry answers for all names; what it does not hold cannot be had, so no test depends on a public registry
  printf 'server = "http://%s"\n[host."http://%s"]\n  capabilities = ["pull", "resolve"]\n' "$REGISTRY" "$REGISTRY" >"$CONF/certs.d/_default/hosts.toml"
  cat >"$STATE/$1/cni/10-bridge.conflist" <<K
{"cniVersion": "0.4.0", "name": "mainline", "plugins": [
 {"type": "bridge", "bridge": "cni0", "isGateway": true, "isDefaultGateway": true, "ipMasq": false, "hairpinMode": true,
  "ipam": {"type": "host-local", "dataDir": "$run/ipam", "ranges": [[{"subnet": "$(node_pods "$1")"}]]}},
 {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}]}
K
  # restrict_oom_score_adj: without CAP_SYS_RESOURCE a negative adjustment makes runc fail
  cat >"$STATE/$1/containerd.toml" <<K
version = 2
root = "$DIR/containerd/$1"
state = "$run/containerd"
oom_score = 0
[grpc]
  address = "$run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.k8s.io/pause:3.10"
  restrict_oom_score_adj = true
  disable_apparmor = true
  stream_server_address = "127.0.0.1"
  max_concurrent_downloads = 6
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$CONF/certs.d"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$STATE/$1/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    discard_unpacked_layers = true # the registry has them
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
K
}

kubelet_config() { # N
  echo "nameserver $DNS_IP" >"$CONF/resolv.conf"
  cat >"$STATE/$1/kubelet.yaml" <<K
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $(node_ip "$1")
healthzBindAddress: 127.0.0.1
cgroupDriver: cgroupfs
cgroupRoot: /$(netns "$1")
failSwapOn: false
failCgroupV1: false
oomScoreAdj: 0
containerRuntimeEndpoint: unix://$RUN/$1/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $PKI/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $PKI/serving-$1.crt
tlsPrivateKeyFile: $PKI/serving-$1.key
clusterDNS: [$DNS_IP]
clusterDomain: cluster.local
resolvConf: $CONF/resolv.conf
serializeImagePulls: false
maxPods: 80
evictionHard: {memory.available: 200Mi, nodefs.available: 2%, imagefs.available: 2%, nodefs.inodesFree: 1%, imagefs.inodesFree: 1%}
imageMaximumGCAge: 2h # what no pod used for so long; digests of a day of building would fill the disk
imageGCHighThresholdPercent: 99
imageGCLowThresholdPercent: 98
volumePluginDir: $STATE/$1/volumeplugins
podLogsDir: $STATE/$1/podlogs
K
  if [ "$1" = "$GPU_NODE" ]; then # from its first moment, so that nothing else lands there
    echo 'registerWithTaints: [{key: nvidia.com/gpu, value: present, effect: NoSchedule}]' >>"$STATE/$1/kubelet.yaml"
  fi
  # kube-proxy ends itself when its file is written, were it with the same words
  cat >"$STATE/$1/proxy.yaml.new" <<K
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
bindAddress: $(node_ip "$1")
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
clientConnection: {kubeconfig: $CONF/proxy.kubeconfig}
mode: nftables
hostnameOverride: $(node_name "$1")
oomScoreAdj: 0
clusterCIDR: $POD_CIDR
conntrack: {maxPerCore: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
K
  if cmp -s "$STATE/$1/proxy.yaml.new" "$STATE/$1/proxy.yaml"; then
    rm "$STATE/$1/proxy.yaml.new"
  else
    mv "$STATE/$1/proxy.yaml.new" "$STATE/$1/proxy.yaml"
  fi
}

inside() { # N COMMAND...: not `ip netns exec`, which remounts /sys and hides the cgroups
  nsenter --net="/run/netns/$(netns "$1")" "${@:2}"
}

node_network() { # N
  local other
  if [ -e "/run/netns/$(netns "$1")" ]; then
    ip link set "mainline-v$1" up
    return
  fi
  ip netns add "$(netns "$1")"
  ip link add "mainline-v$1" type veth peer name eth0 netns "$(netns "$1")"
  ip link set "mainline-v$1" master mainline0 up
  inside "$1" ip link set lo up
  inside "$1" ip addr add "$(node_ip "$1")/24" dev eth0
  inside "$1" ip link set eth0 up
  inside "$1" ip route add default via "$HOST_IP"
  inside "$1" sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1
  ip route replace "$(node_pods "$1")" via "$(node_ip "$1")" dev mainline0
  for other in $(seq 9); do # pods of other nodes, there and back
    if [ "$other" = "$1" ] || [ ! -e "/run/netns/$(netns "$other")" ]; then continue; fi
    inside "$1" ip route replace "$(node_pods "$other")" via "$(node_ip "$other")"
    inside "$other" ip route replace "$(node_pods "$1")" via "$(node_ip "$1")"
  done
}

node_cgroups() { # N
  local folder
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    echo "+cpuset +cpu +io +memory +pids" >/sys/fs/cgroup/cgroup.subtree_control
    mkdir -p "/sys/fs/cgroup/$(netns "$1")"
    return
  fi
  for folder in /sys/fs/cgroup/*/; do
    if [ -e "$folder/cgroup.procs" ]; then mkdir -p "$folder/$(netns "$1")"; fi
  done
  folder=/sys/fs/cgroup/cpuset
  cat "$folder/cpuset.cpus" >"$folder/$(netns "$1")/cpuset.cpus"
  cat "$folder/cpuset.mems" >"$folder/$(netns "$1")/cpuset.mems"
}

node() { # N: up to where its kubelet runs
  local n=$1
  mkdir -p "$RUN/$n" "$STATE/$n" "$DIR/containerd/$n"
  node_identity "$n"
  node_network "$n"
  node_cgroups "$n"
  containerd_config "$n"
  kubelet_config "$n"
  start "containerd-$n" nsenter --net="/run/netns/$(netns "$n")" containerd --config "$STATE/$n/containerd.toml"
  wait_for 20 "containerd of node $n" ctr -a "$RUN/$n/containerd.sock" version
  kubelet "$n"
  start "proxy-$n" nsenter --net="/run/netns/$(netns "$n")" kube-proxy --config="$STATE/$n/proxy.yaml"
}

kubelet() { # N
  local n=$1 labels=topology.kubernetes.io/zone=zone-$1 folder=$DIR/kubelet/$1 # short: sockets of volume plugins lie below it
  if [ "$n" = "$GPU_NODE" ]; then labels=$labels,nvidia.com/gpu.present=true; fi
  mkdir -p "$folder"
  start "kubelet-$n" nsenter --net="/run/netns/$(netns "$n")" kubelet --config="$STATE/$n/kubelet.yaml" \
    --kubeconfig="$CONF/kubelet-$n.kubeconfig" --hostname-override="$(node_name "$n")" --node-ip="$(node_ip "$n")" --root-dir="$folder" --node-labels="$labels"
}

is_ready() { # N: a kubelet gives up where containerd still reads what it kept from before, and is started again
  kubelet "$1"
  kc wait --for=condition=Ready "node/$(node_name "$1")" --timeout=1s
}

node_ready() { # N
  wait_for 90 "node $1" is_ready "$1"
  if [ "$1" = "$GPU_NODE" ]; then gpu "$1"; fi
  say "$(node_name "$1") ready"
}

gpu() { # N: what a device plugin would tell of a node with one GPU
  kc patch "node/$(node_name "$1")" --subresource=status --type=json -p '[
    {"op": "add", "path": "/status/capacity/nvidia.com~1gpu", "value": "1"},
    {"op": "add", "path": "/status/allocatable/nvidia.com~1gpu", "value": "1"}]' >/dev/null
}
