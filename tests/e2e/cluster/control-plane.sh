# Sourced: the machine's own part: a bridge that the nodes hang on, a registry, etcd, API server, controller manager, scheduler.
SYSCTLS="kernel.panic kernel.panic_on_oops vm.overcommit_memory vm.panic_on_oom kernel.keys.root_maxkeys kernel.keys.root_maxbytes"

bridge() {
  if [ -e /sys/class/net/mainline0 ]; then return; fi
  ip link add mainline0 type bridge
  ip addr add "$HOST_IP/24" dev mainline0
  ip link set mainline0 up
}

registry() { # plain HTTP; every other registry's names are looked up here too, by the nodes
  bridge
  mkdir -p "$REGISTRY_DIR"
  cat >"$CONF/registry.yaml" <<K
version: 0.1
storage: {filesystem: {rootdirectory: $REGISTRY_DIR}, delete: {enabled: true}}
http: {addr: "$REGISTRY"}
log: {level: warn, accesslog: {disabled: true}}
K
  start registry docker-registry serve "$CONF/registry.yaml"
  wait_for 20 "registry at $REGISTRY" curl -sf "http://$REGISTRY/v2/"
}

control_plane() {
  if [ ! -f "$CONF/sysctl.saved" ]; then sysctl $SYSCTLS >"$CONF/sysctl.saved"; fi # kubelets write these
  start etcd etcd --data-dir "$STATE/etcd" --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
    --initial-cluster default=http://127.0.0.1:2380 --unsafe-no-fsync # a development cluster: its state need not outlive the machine
  # aggregator routing: extensions (KEDA's metrics) are reached at their pods, since no kube-proxy serves the machine itself
  start apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --bind-address="$HOST_IP" --advertise-address="$HOST_IP" --secure-port=6443 \
    --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" --client-ca-file="$PKI/ca.crt" \
    --kubelet-client-certificate="$PKI/apiserver-kubelet.crt" --kubelet-client-key="$PKI/apiserver-kubelet.key" \
    --kubelet-certificate-authority="$PKI/ca.crt" --kubelet-preferred-address-types=InternalIP --enable-aggregator-routing=true \
    --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key" \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --requestheader-client-ca-file="$PKI/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client \
    --requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-group-headers=X-Remote-Group --requestheader-username-headers=X-Remote-User \
    --proxy-client-cert-file="$PKI/front-proxy.crt" --proxy-client-key-file="$PKI/front-proxy.key" \
    --service-cluster-ip-range="$SERVICE_CIDR" --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction --allow-privileged=true
  wait_for 30 "etcd" curl -sf http://127.0.0.1:2379/health
  wait_for 120 "the API server" kc get --raw /readyz
  say "API server ready"
  local user=$CONF/controller-manager.kubeconfig
  start controller-manager kube-controller-manager --kubeconfig="$user" --authentication-kubeconfig="$user" --authorization-kubeconfig="$user" \
    --bind-address=127.0.0.1 --leader-elect=false --use-service-account-credentials=true --service-account-private-key-file="$PKI/sa.key" \
    --root-ca-file="$PKI/ca.crt" --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key" \
    --allocate-node-cidrs=false --cluster-cidr="$POD_CIDR" --service-cluster-ip-range="$SERVICE_CIDR"
  user=$CONF/scheduler.kubeconfig
  start scheduler kube-scheduler --kubeconfig="$user" --authentication-kubeconfig="$user" --authorization-kubeconfig="$user" \
    --bind-address=127.0.0.1 --leader-elect=false
}
