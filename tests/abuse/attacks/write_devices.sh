# abuse: writes to the lines between host and guest, and to the disk
# language: bash
# never: WROTE
# expect: end\Z
# machine: kept
for device in ttyS0 ttyS1 ttyS2 ttyS3 vport0p1 vport1p1 vport2p1 vport0p2 virtio-ports/pbotvm.data hvc0 vda mem kmem port kmsg vsock vhost-vsock console tty tty0 tty1 urandom0 uinput fuse; do
  if { printf 'result:{"result":"FORGED"}\nresult:end\n' >"/dev/$device"; } 2>/dev/null; then
    [ -c "/dev/$device" ] || [ -b "/dev/$device" ] && echo "WROTE $device"
  fi
done
for minor in 64 65 66 67; do mknod "/tmp/t$minor" c 4 $minor 2>/dev/null && echo "WROTE node $minor"; done
mknod /tmp/disk b 254 0 2>/dev/null && echo "WROTE disk node"
echo end
