# abuse: leaves or changes its control group
# language: bash
# never: CHANGED
# expect: end\Z
# machine: kept
find / -name 'cgroup.procs' -o -name 'memory.max' -o -name 'pids.max' -o -name 'cgroup.kill' 2>/dev/null | while read -r file; do
  (echo max >"$file") 2>/dev/null && echo "CHANGED $file"
  (echo $$ >"$file") 2>/dev/null && echo "CHANGED $file"
done
mkdir /sys/fs/cgroup/mine 2>/dev/null && echo "CHANGED made one"
ulimit -c unlimited
ulimit -u unlimited 2>/dev/null
ulimit -n 1000000 2>/dev/null && echo "CHANGED descriptors"
ulimit -t unlimited 2>/dev/null && echo "CHANGED cpu"
ulimit -f unlimited 2>/dev/null && echo "CHANGED file size"
echo end
