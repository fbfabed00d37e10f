#!/bin/sh
# The machine of a lab, inside `unshare`: machine.sh SLUICED FOLDER
# Ends in a shell at a terminal that says `@@ CODE` after each command.
set -e
sluiced=$1 folder=$2
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir /run/netns /run/etc /run/work
mount -t overlay etc -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work /etc
ip link set lo up

# The internet: one server, one who answers for names.
ip netns add internet
ip link add lan0 type veth peer name eth0 netns internet
ip addr add 203.0.113.10/24 dev lan0
ip link set lan0 up
ip route add default via 203.0.113.1
ip -n internet addr add 203.0.113.1/24 dev eth0
ip -n internet addr add 198.51.100.1/32 dev lo
ip -n internet addr add 198.51.100.2/32 dev lo
ip -n internet link set lo up
ip -n internet link set eth0 up
rm -f /etc/resolv.conf
echo 'nameserver 203.0.113.1' >/etc/resolv.conf
ip netns exec internet dnsmasq --conf-file=/dev/null --user=root --no-resolv --no-hosts --pid-file= --log-facility=/dev/null \
  --address=/cilium.io/198.51.100.1 --address=/songlaa.com/198.51.100.1 --address=/google.com/198.51.100.2 --address=/www.zhaw.ch/198.51.100.2
mkdir /run/www
echo '<h1>the internet</h1>' >/run/www/index.html
(cd /run/www && exec ip netns exec internet busybox httpd -p 0.0.0.0:80)

node "$sluiced" --set kube-api=true --detach >/run/sluiced.said 2>&1 || { cat /run/sluiced.said; exit 1; }
cd "$folder/work"
cat >/run/rc <<'RC'
PS1= PS2= PROMPT_COMMAND='printf "\n@@ %s\n" "$?"'
RC
export PATH="$folder/bin:$PATH" KUBECONFIG=/run/sluice/kubeconfig
# Not by exec: script(1) must not be the first process here, which is given the children of everybody who ends.
script -qfec 'stty -echo cols 200; exec bash --noprofile --noediting --rcfile /run/rc' /dev/null
