# abuse: programs that would run as root, found or made
# language: bash
# never: uid=0|ROOT
# expect: end\Z
# machine: kept
find /bin /sbin /usr/bin /usr/sbin /usr/local /usr/lib -maxdepth 2 \( -perm -4000 -o -perm -2000 \) -type f 2>/dev/null | while read -r program; do
  timeout -s KILL 0.2 "$program" --help </dev/null >/dev/null 2>&1
  timeout -s KILL 0.2 "$program" -c id </dev/null 2>/dev/null | grep uid=0 && echo ROOT
done
cp /usr/bin/id ./id && chmod 6755 ./id && ./id
timeout -s KILL 0.5 su -c id </dev/null 2>/dev/null
echo end
