# Sourced by the scripts of this folder: pinned versions, where things lie, and how progress is told.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../../.." && pwd)
. "$ROOT/versions.env"

DIR=${MAINLINE_CLUSTER_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/mainline-cluster}
BIN=$DIR/bin SRC=$DIR/src ROOTFS=$DIR/rootfs IMAGES=$DIR/img REGISTRY_DIR=$DIR/registry # the cache, kept by `down`
PKI=$DIR/pki CONF=$DIR/conf LOG=$DIR/log PID=$DIR/pid STATE=$DIR/state                   # one cluster, removed by `down`
RUN=/run/mainline-cluster                                                               # sockets: their paths must be short

# Each node offers this machine's processors to requests. One has the GPU and takes nothing else; the others offer eight
# together, which all models in both environments ask for, and are two at least, since one may be lost.
OTHERS=$(((8 + $(nproc) - 1) / $(nproc)))
NODES=${NODES:-$((1 + (OTHERS < 2 ? 2 : OTHERS)))}
GPU_NODE=2
HOST_IP=10.90.0.1     # the machine itself: control plane and registry
REGISTRY=$HOST_IP:5000
POD_CIDR=10.244.0.0/16
SERVICE_CIDR=10.96.0.0/16 API_SERVICE_IP=10.96.0.1 DNS_IP=10.96.0.10
ADMIN=$CONF/admin.kubeconfig
PATH=$BIN:$PATH:/usr/sbin:/sbin

node_name() { echo "mainline-$1"; }
node_ip() { echo "10.90.0.1$1"; }
node_pods() { echo "10.244.$1.0/24"; }
netns() { echo "mainline-n$1"; }

fail() {
  echo "cluster: $*" >&2
  exit 2
}
say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }
kc() { kubectl --kubeconfig "$ADMIN" "$@"; }

wait_for() { # SECONDS WHAT COMMAND...: until the command succeeds
  local limit=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$limit" ] || fail "$what: not within its time; see $LOG"
    sleep 0.1
  done
}
