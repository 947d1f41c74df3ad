#!/bin/bash
# Builds what a cluster runs from pinned Go modules into $DIR/bin; what exists is kept (remove a file to build it again).
#   build.sh [TARGET]...     targets: etcd k8s rollouts coredns versitygw workflows prometheus gitea (the default), plugin traefik keda
# Cold on two cores: half an hour and 13 GB of Go's build cache for all; each target names its own seconds.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
DEFAULT="etcd k8s rollouts coredns versitygw workflows prometheus gitea"
OUT=$SRC/out/
export CGO_ENABLED=0 GOWORK=off
unset GOFLAGS

module() { # MODULE@VERSION: its folder in Go's module cache
  (cd / && go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
}

copy() { # NAME MODULE@VERSION: a writable copy; what archives leave out must be added, and the module cache takes no additions
  local to=$SRC/$1
  if [ "$(cat "$to/.version" 2>/dev/null)" != "$2" ]; then
    if [ -e "$to" ]; then chmod -R u+w "$to"; fi
    rm -rf "$to"
    cp -r "$(module "$2")" "$to"
    chmod -R u+w "$to"
    echo "$2" >"$to/.version"
  fi
}

binaries() { # TARGET: the files that it makes
  case $1 in
    etcd | coredns | versitygw | gitea | traefik) echo "$1" ;;
    k8s) echo "kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl" ;;
    rollouts) echo rollouts-controller ;;
    workflows) echo "workflow-controller argoexec argo" ;;
    plugin) echo kubectl-argo-rollouts ;;
    prometheus) echo "prometheus promtool" ;;
    keda) echo "keda-operator keda-adapter" ;;
    *) fail "build.sh: got $1, must be one of $DEFAULT plugin traefik keda" ;;
  esac
}

link() { # LDFLAGS PACKAGES...: in the current folder's module
  go build -trimpath -ldflags "-s -w $1" -o "$OUT" "${@:2}"
}

scratch() { # NAME: an empty module, to require others from
  mkdir -p "$SRC/$1"
  cd "$SRC/$1"
  export GOFLAGS=-mod=mod
}

build_etcd() {
  scratch etcd
  printf 'module etcd\n\ngo 1.24\n\nrequire go.etcd.io/etcd/server/v3 v%s\n' "$ETCD_VERSION" >go.mod
  go build -trimpath -ldflags '-s -w' -o "${OUT}etcd" go.etcd.io/etcd/server/v3
}

build_k8s() { # its go.mod replaces the staging modules by folders that its archive does not have
  local source name version=v0.${KUBERNETES_VERSION#1.} minor=${KUBERNETES_VERSION#*.} flags=k8s.io/component-base/version
  source=$(module "k8s.io/kubernetes@v$KUBERNETES_VERSION")
  scratch k8s
  {
    printf 'module cluster\n\ngo 1.24\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' "$KUBERNETES_VERSION"
    for name in $(sed -n 's#^\t\(k8s.io/[a-z-]*\) => ./staging/.*#\1#p' "$source/go.mod"); do echo "	$name => $name $version"; done
    echo ')'
  } >go.mod
  flags="-X $flags.gitVersion=v$KUBERNETES_VERSION -X $flags.gitMajor=1 -X $flags.gitMinor=${minor%%.*}"
  link "$flags" $(printf 'k8s.io/kubernetes/cmd/%s ' $(binaries k8s))
}

build_rollouts() {
  cd "$(module "github.com/argoproj/argo-rollouts@v$ARGO_ROLLOUTS_VERSION")"
  link "-X github.com/argoproj/argo-rollouts/utils/version.version=$ARGO_ROLLOUTS_VERSION" ./cmd/rollouts-controller
}

build_plugin() { # without the dashboard's pages, which are generated and not in the archive
  copy argo-rollouts "github.com/argoproj/argo-rollouts@v$ARGO_ROLLOUTS_VERSION"
  cd "$SRC/argo-rollouts"
  : >server/static/index.html
  link "-X github.com/argoproj/argo-rollouts/utils/version.version=$ARGO_ROLLOUTS_VERSION" ./cmd/kubectl-argo-rollouts
}

build_workflows() { # not in the archive: the web pages, and signal_linux.go (a link to the darwin file; archives hold no links)
  copy argo-workflows "github.com/argoproj/argo-workflows/v3@v$ARGO_WORKFLOWS_VERSION"
  cd "$SRC/argo-workflows"
  cp workflow/executor/osspecific/signal_darwin.go workflow/executor/osspecific/signal_linux.go
  mkdir -p ui/dist/app
  : >ui/dist/app/index.html
  # the controller names its argoexec image by this version
  link "-X github.com/argoproj/argo-workflows/v3.version=v$ARGO_WORKFLOWS_VERSION" $(printf './cmd/%s ' $(binaries workflows))
}

build_coredns() { # with the plugins that coredns.yaml names alone: the clouds' libraries are most of the others
  local name
  copy coredns "github.com/coredns/coredns@v$COREDNS_VERSION"
  cd "$SRC/coredns"
  {
    printf 'package plugin\n\nimport (\n'
    for name in errors health ready kubernetes loadbalance; do printf '\t_ "github.com/coredns/coredns/plugin/%s"\n' "$name"; done
    echo ')'
  } >core/plugin/zplugin.go
  go build -trimpath -ldflags '-s -w' -o "${OUT}coredns" .
}

build_versitygw() {
  cd "$(module "github.com/versity/versitygw@v$VERSITYGW_VERSION")"
  link "-X main.Version=v$VERSITYGW_VERSION" ./cmd/versitygw
}

build_prometheus() { # without its pages; of the ways to find targets only Kubernetes, so that no cloud's library is compiled
  copy prometheus "$PROMETHEUS_MODULE@$PROMETHEUS_MODULE_VERSION"
  cd "$SRC/prometheus"
  printf 'package plugins\n\nimport _ "%s/discovery/kubernetes"\n' "$PROMETHEUS_MODULE" >plugins/plugins.go
  link "-X github.com/prometheus/common/version.Version=$PROMETHEUS_VERSION" ./cmd/prometheus ./cmd/promtool
}

build_gitea() { # SQLite needs C; the styles of its pages are generated and not in the archive
  copy gitea "code.gitea.io/gitea@v$GITEA_VERSION"
  cd "$SRC/gitea"
  CGO_ENABLED=1 go build -trimpath -tags "sqlite sqlite_unlock_notify" -o "${OUT}gitea" \
    -ldflags "-s -w -X main.Version=$GITEA_VERSION -X code.gitea.io/gitea/modules/setting.StaticRootPath=/usr/local/share/gitea" .
}

build_traefik() {
  cd "$(module "github.com/traefik/traefik/v3@v$TRAEFIK_VERSION")"
  link "-X github.com/traefik/traefik/v3/pkg/version.Version=v$TRAEFIK_VERSION" ./cmd/traefik
}

build_keda() {
  cd "$(module "github.com/kedacore/keda/v2@v$KEDA_VERSION")"
  go build -trimpath -ldflags '-s -w' -o "${OUT}keda-operator" ./cmd/operator
  go build -trimpath -ldflags '-s -w' -o "${OUT}keda-adapter" ./cmd/adapter
}

missing() { # TARGET
  local name
  for name in $(binaries "$1"); do if [ ! -x "$BIN/$name" ]; then return 0; fi; done
  return 1
}

target() { # NAME: only whole binaries appear in $BIN
  local name
  "build_$1"
  for name in $(binaries "$1"); do mv "$OUT$name" "$BIN/$name"; done
}

mkdir -p "$BIN" "$OUT" "$LOG"
if [ "${1:-}" = --only ]; then
  target "$2"
  exit
fi
if [ $# = 0 ]; then set -- $DEFAULT; fi
number=0
for name in "$@"; do
  number=$((number + 1))
  if ! missing "$name"; then continue; fi
  began=$SECONDS
  say "building $name ($number of $#) ..."
  # a shell of its own: set -e holds inside, and folder and environment end with it
  timeout 1800 "$0" --only "$name" >"$LOG/build-$name.log" 2>&1 || fail "$name: not built, see $LOG/build-$name.log: $(tail -n 3 "$LOG/build-$name.log")"
  say "built $name in $((SECONDS - began)) s"
done
