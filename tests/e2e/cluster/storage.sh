# Sourced: volumes made beforehand. Nodes share their files, so a volume can be mounted on any; any user may write to it.
VOLUMES=${VOLUMES:-24} VOLUME_SIZE=20Gi

given_back() { # a volume whose claim is gone is emptied and offered again
  local name
  for name in $(kc get pv -o 'jsonpath={range .items[?(@.status.phase=="Released")]}{.metadata.name}{"\n"}{end}'); do
    case $name in volume-*) ;; *) continue ;; esac
    kc delete "pv/$name" --timeout=30s >/dev/null
    rm -rf "$STATE/volumes/$name"
  done
}

volumes() {
  local n folder
  given_back
  {
    cat <<K
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations: {storageclass.kubernetes.io/is-default-class: "true"}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: Immediate
K
    for n in $(seq -w "$VOLUMES"); do
      folder=$STATE/volumes/volume-$n
      mkdir -p "$folder"
      chmod 777 "$folder"
      cat <<K
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: volume-$n}
spec:
  storageClassName: standard
  capacity: {storage: $VOLUME_SIZE}
  accessModes: [ReadWriteOnce, ReadWriteMany, ReadOnlyMany]
  persistentVolumeReclaimPolicy: Retain
  hostPath: {path: $folder, type: Directory}
K
    done
  } | kc apply --server-side --force-conflicts -f - >/dev/null
}
