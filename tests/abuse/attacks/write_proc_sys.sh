# abuse: changes the kernel's settings
# language: sh
# never: CHANGED
# expect: end\Z
# machine: kept
try() {
  if (echo "$2" >"$1") 2>/dev/null; then echo "CHANGED $1"; fi
}
try /proc/sys/kernel/core_pattern '|/bin/sh'
try /proc/sys/kernel/hostname other
try /proc/sys/kernel/panic 1
try /proc/sys/kernel/modprobe /tmp/x
try /proc/sys/vm/overcommit_memory 2
try /proc/sys/vm/drop_caches 3
try /proc/sys/net/ipv4/ip_forward 1
try /proc/sysrq-trigger b
try /proc/1/oom_score_adj -1000
try /proc/self/oom_score_adj -1000
try /proc/1/comm x
try /sys/power/state mem
try /sys/kernel/uevent_helper /tmp/x
try /sys/block/vda/queue/scheduler none
try /sys/bus/pci/rescan 1
find /proc/sys /sys -type f -writable 2>/dev/null | while read -r file; do (echo 1 >"$file") 2>/dev/null && echo "CHANGED $file"; done
echo end
