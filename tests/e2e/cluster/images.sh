#!/bin/bash
# Images without any engine: static binaries of build.sh, Debian packages and debootstrap, pushed to the local registry
# under the paths that upstream's names have, so that the nodes find `quay.io/argoproj/argoexec:v...` there.
#   images.sh [NAME]...     (default: all whose binaries are there; what has not changed is skipped)
# $DIR/img/NAME holds the reference by digest of what was pushed.
set -euo pipefail
. "$(dirname "$0")/settings.sh"
. "$HERE/processes.sh"
. "$HERE/control-plane.sh"
ALL="pause python uv coredns argo-rollouts workflow-controller argoexec argocli versitygw prometheus gitea traefik keda keda-metrics-apiserver"

module() { (cd / && go mod download -json "$1" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p'); }

fresh() { # NAME FILE...: pushed since the files changed, and the registry still has it
  local reference=$IMAGES/$1 file path digest
  [ -s "$reference" ] || return 1
  for file in "${@:2}"; do [ "$reference" -nt "$file" ] || return 1; done
  path=$(sed 's#^[^/]*/##; s#@.*##' "$reference")
  digest=$(sed 's#.*@##' "$reference")
  curl -sfI -o /dev/null -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' "http://$REGISTRY/v2/$path/manifests/$digest"
}

push() { # NAME REPOSITORY:TAG [OPTIONS] [ENTRYPOINT]
  python3 "$HERE/image.py" --registry "$REGISTRY" --scratch "$ROOTFS" "$ROOTFS/$1" "$2" "${@:3}" >"$IMAGES/$1.new"
  mv "$IMAGES/$1.new" "$IMAGES/$1"
}

bare() { # NAME BINARY...: what a distroless static image holds, plus the binaries in /bin
  local root=$ROOTFS/$1 binary
  rm -rf "$root"
  mkdir -p "$root"/{bin,etc/ssl/certs,home,root,tmp,var/tmp}
  chmod 1777 "$root/tmp" "$root/var/tmp"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home:/sbin/nologin\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n' >"$root/etc/group"
  echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
  cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  if [ -e /etc/mime.types ]; then cp /etc/mime.types "$root/etc/"; fi
  for binary in "${@:2}"; do cp "$BIN/$binary" "$root/bin/"; done
}

debian() { # NAME PACKAGES: a small Debian
  local mirror
  if [ -x "$ROOTFS/$1/usr/bin/env" ] && [ -e "$ROOTFS/$1.whole" ]; then return; fi
  mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)} # apt's own
  rm -rf "${ROOTFS:?}/$1"
  debootstrap --variant=minbase --include="$2" "$DEBIAN_SUITE" "$ROOTFS/$1" "$mirror" >"$LOG/debootstrap-$1.log" || fail "debootstrap: see $LOG/debootstrap-$1.log"
  rm -rf "$ROOTFS/$1"/usr/share/{doc,man,info,locale}/* "$ROOTFS/$1"/var/{cache/apt,lib/apt/lists}/*
  touch "$ROOTFS/$1.whole"
}

one() { # NAME REPOSITORY:TAG [OPTIONS] -- BINARY...: an image of the binaries
  local name=$1 repository=$2 options=() binary
  shift 2
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  shift
  if fresh "$name" $(printf "$BIN/%s " "$@"); then return; fi
  bare "$name" "$@"
  case $name in # folders that upstream's image has
    argo-rollouts) mkdir -p "$ROOTFS/$name/home/argo-rollouts" ;;
    prometheus) mkdir -p "$ROOTFS/$name"/{prometheus,etc/prometheus} && chmod 777 "$ROOTFS/$name/prometheus" ;;
    keda) mv "$ROOTFS/$name/bin/$1" "$ROOTFS/$name/keda" ;; # as its manifests call it
    keda-metrics-apiserver) mv "$ROOTFS/$name/bin/$1" "$ROOTFS/$name/$1" ;;
  esac
  push "$name" "$repository" --owner-root "${options[@]}"
  rm -rf "${ROOTFS:?}/$name" # Debian's are kept: a minute to make
}

image() { # NAME
  case $1 in
    pause)
      if fresh pause; then return; fi
      mkdir -p "$ROOTFS/pause"
      gcc -Os -static -DVERSION=v3.10 -s -o "$ROOTFS/pause/pause" "$(module "k8s.io/kubernetes@v$KUBERNETES_VERSION")/build/pause/linux/pause.c"
      push pause pause:3.10 --owner-root --user 65535:65535 --entrypoint /pause
      ;;
    python)
      if fresh python; then return; fi
      debian python python3,python3-venv,ca-certificates,tzdata
      ln -sf python3 "$ROOTFS/python/usr/bin/python"
      push python library/python:3.11-slim-bookworm --env PYTHONUNBUFFERED=1 --env LANG=C.UTF-8
      ;;
    uv)
      if fresh uv "$ROOT/.venv/bin/uv"; then return; fi
      [ -x "$ROOT/.venv/bin/uv" ] || fail "uv: .venv/bin/uv is missing; run make install"
      mkdir -p "$ROOTFS/uv"
      cp -L "$ROOT/.venv/bin/uv" "$ROOTFS/uv/uv"
      push uv astral-sh/uv:local --owner-root --entrypoint /uv
      ;;
    coredns) one coredns "coredns/coredns:v$COREDNS_VERSION" --entrypoint /bin/coredns -- coredns ;;
    argo-rollouts) one argo-rollouts "argoproj/argo-rollouts:v$ARGO_ROLLOUTS_VERSION" --user 999 --workdir /home/argo-rollouts --entrypoint /bin/rollouts-controller -- rollouts-controller ;;
    workflow-controller) one workflow-controller "argoproj/workflow-controller:v$ARGO_WORKFLOWS_VERSION" --user 8737 --entrypoint workflow-controller -- workflow-controller ;;
    argoexec) one argoexec "argoproj/argoexec:v$ARGO_WORKFLOWS_VERSION" --entrypoint argoexec -- argoexec ;;
    argocli) one argocli "argoproj/argocli:v$ARGO_WORKFLOWS_VERSION" --user 8737 --entrypoint argo -- argo ;; # argo-server's image
    versitygw) one versitygw "versity/versitygw:v$VERSITYGW_VERSION" --entrypoint /bin/versitygw -- versitygw ;;
    prometheus) one prometheus "prom/prometheus:v$PROMETHEUS_VERSION" --user 65534 --workdir /prometheus --entrypoint /bin/prometheus -- prometheus promtool ;;
    traefik) one traefik "library/traefik:v$TRAEFIK_VERSION" --entrypoint /bin/traefik -- traefik ;;
    keda) one keda "kedacore/keda:$KEDA_VERSION" --user 1000 --entrypoint /keda -- keda-operator ;;
    keda-metrics-apiserver) one keda-metrics-apiserver "kedacore/keda-metrics-apiserver:$KEDA_VERSION" --user 1000 --entrypoint /keda-adapter -- keda-adapter ;;
    gitea) gitea ;;
    *) fail "images.sh: got $1, must be one of $ALL" ;;
  esac
}

gitea() { # with git, and the folders that it reads, where build.sh told it; paths of the rootless image
  local root=$ROOTFS/gitea
  if fresh gitea "$BIN/gitea"; then return; fi
  debian gitea git,ca-certificates
  mkdir -p "$root"/{etc/gitea,var/lib/gitea,usr/local/share/gitea}
  cp "$BIN/gitea" "$root/usr/local/bin/gitea"
  cp -r "$SRC/gitea"/{templates,options,public} "$root/usr/local/share/gitea/"
  chmod -R a+rX "$root/usr/local/share/gitea"
  chmod 777 "$root/etc/gitea" "$root/var/lib/gitea"
  if ! grep -q '^git:' "$root/etc/passwd"; then
    echo 'git:x:1000:1000:git:/var/lib/gitea:/bin/bash' >>"$root/etc/passwd"
    echo 'git:x:1000:' >>"$root/etc/group"
  fi
  push gitea "gitea:$GITEA_VERSION-rootless" --user 1000:1000 --workdir /var/lib/gitea --env GITEA_WORK_DIR=/var/lib/gitea \
    --env GITEA_CUSTOM=/var/lib/gitea/custom --env HOME=/var/lib/gitea --env GITEA_APP_INI=/etc/gitea/app.ini --entrypoint /usr/local/bin/gitea
}

buildable() { # NAME: its binaries are there
  case $1 in
    pause | python | uv) ;;
    argo-rollouts) [ -x "$BIN/rollouts-controller" ] ;;
    argocli) [ -x "$BIN/argo" ] ;;
    keda) [ -x "$BIN/keda-operator" ] ;;
    keda-metrics-apiserver) [ -x "$BIN/keda-adapter" ] ;;
    *) [ -x "$BIN/$1" ] ;;
  esac
}

mkdir -p "$IMAGES" "$ROOTFS" "$LOG" "$PID" "$CONF"
registry
if [ $# = 0 ]; then for name in $ALL; do if buildable "$name"; then set -- "$@" "$name"; fi; done; fi
number=0
for name in "$@"; do
  number=$((number + 1))
  began=$SECONDS
  image "$name"
  say "image $name ($number of $#, $((SECONDS - began)) s): $(cat "$IMAGES/$name")"
done
