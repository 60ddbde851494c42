#!/usr/bin/env bash
# Makes the folder that RELIGHT_KUBE_APISERVER names: `test/support/kubernetes-binaries.sh FOLDER`.
# Builds kube-apiserver and kube-controller-manager with Go (four minutes on two cores), and takes etcd from Debian.
set -euo pipefail
version=34.4
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Within its own repository Kubernetes replaces its libraries by folders; the same are published as v0.x modules.
mod=$(go mod download -json "k8s.io/kubernetes@v1.$version" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
{
  echo "module kubernetes-binaries"
  grep '^go ' "$mod"
  echo "require k8s.io/kubernetes v1.$version"
  sed -n 's/^\t\(k8s\.io\/[^ ]*\) => .*/replace \1 => \1 v0.'"$version"'/p' "$mod"
} >go.mod
CGO_ENABLED=0 GOFLAGS=-mod=mod go build -ldflags '-s -w' -o "$out" \
  k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager

if command -v etcd >/dev/null; then
  cp "$(command -v etcd)" "$out/etcd"
else
  apt-get download -qq etcd-server
  dpkg -x etcd-server_*.deb etcd
  cp etcd/usr/bin/etcd "$out/etcd"
fi
ls "$out"
