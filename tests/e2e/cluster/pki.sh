# Sourced: certificates and kubeconfigs. One authority for the cluster, one for the API server's own extensions.
authority() { # NAME SUBJECT
  openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
  openssl req -x509 -new -key "$1.key" -subj "/CN=$2" -days 3650 -out "$1.crt"
}

certificate() { # NAME SUBJECT USAGE [ALTERNATIVE NAMES] [AUTHORITY]
  local ca=${5:-ca}
  openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
  {
    echo "keyUsage=critical,digitalSignature,keyEncipherment"
    echo "extendedKeyUsage=$3"
    if [ -n "${4:-}" ]; then echo "subjectAltName=$4"; fi
  } >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA "$ca.crt" -CAkey "$ca.key" -CAcreateserial -days 3650 -extfile "$1.ext" -out "$1.crt" 2>"$1.err" || fail "$(cat "$1.err")"
  rm "$1.csr" "$1.ext" "$1.err"
}

kubeconfig() { # NAME: self-contained, so that the file can be copied
  (
    umask 077
    cat >"$CONF/$1.kubeconfig" <<K
apiVersion: v1
kind: Config
clusters: [{name: mainline, cluster: {server: "https://$HOST_IP:6443", certificate-authority-data: $(base64 -w0 "$PKI/ca.crt")}}]
users: [{name: $1, user: {client-certificate-data: $(base64 -w0 "$PKI/$1.crt"), client-key-data: $(base64 -w0 "$PKI/$1.key")}}]
contexts: [{name: mainline, context: {cluster: mainline, user: $1}}]
current-context: mainline
K
  )
}

pki() {
  if [ -f "$PKI/.whole" ]; then return; fi
  local names user
  (
    cd "$PKI"
    umask 077
    authority ca kubernetes-ca
    authority front-proxy-ca front-proxy-ca
    openssl ecparam -name prime256v1 -genkey -noout -out sa.key
    openssl ec -in sa.key -pubout -out sa.pub 2>/dev/null
    names=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost
    certificate apiserver /CN=kube-apiserver serverAuth "$names,IP:127.0.0.1,IP:$HOST_IP,IP:$API_SERVICE_IP"
    certificate apiserver-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
    certificate front-proxy /CN=front-proxy-client clientAuth "" front-proxy-ca
    certificate admin /O=system:masters/CN=kubernetes-admin clientAuth
    certificate controller-manager /CN=system:kube-controller-manager clientAuth
    certificate scheduler /CN=system:kube-scheduler clientAuth
    certificate proxy /CN=system:kube-proxy clientAuth
  )
  for user in admin controller-manager scheduler proxy; do kubeconfig "$user"; done
  touch "$PKI/.whole"
}

node_identity() { # N
  if [ -f "$CONF/kubelet-$1.kubeconfig" ]; then return; fi
  (
    cd "$PKI"
    umask 077
    certificate "kubelet-$1" "/O=system:nodes/CN=system:node:$(node_name "$1")" clientAuth
    certificate "serving-$1" "/O=system:nodes/CN=system:node:$(node_name "$1")" serverAuth "DNS:$(node_name "$1"),IP:$(node_ip "$1")"
  )
  kubeconfig "kubelet-$1"
}
