# abuse: reads what /proc may tell of others
# language: sh
# never: pbotvm-guest --|BOOT_IMAGE.*\n.*root:
# expect: end\Z
# machine: kept
for file in /proc/1/environ /proc/1/maps /proc/1/mem /proc/kcore /proc/kmsg /proc/keys /proc/sysrq-trigger /dev/kmsg /etc/shadow /proc/1/root/etc/shadow /proc/1/cwd; do
  if head -c 16 "$file" >/dev/null 2>&1 && [ -n "$(head -c 16 "$file" 2>/dev/null | tr -d '\0')" ]; then echo "READ $file"; fi
done
cat /proc/[0-9]*/comm | sort -u | tr '\n' ' '
echo end
