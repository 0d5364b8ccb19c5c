# Mounts and settings of one node, run inside its namespaces. Arguments: its folder, its folder of logs, its name.
set -eu
home=$1 logs=$2 name=$3
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/containerd
mount --bind "$home/lib" /var/lib
mount --bind "$logs" /var/log
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$home/etc,workdir=$home/work" /etc
(cd "$home/settings" && find . -type f) | while read -r setting; do
  [ ! -e "/proc/sys/$setting" ] || mount --bind "$home/settings/$setting" "/proc/sys/$setting"
done
# Volumes that a pod mounts must be seen by the pods that ask for them, hence shared from here on.
mount --make-rshared /
hostname "$name"
echo 1 > /proc/sys/net/ipv4/ip_forward
[ ! -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || echo 1 > /proc/sys/net/bridge/bridge-nf-call-iptables
