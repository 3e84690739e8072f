# abuse: leaves files wherever it can write, for the next job
# language: bash
# expect: end\Z
# machine: either
# then: cat /tmp/left /var/tmp/left /dev/shm/left ~/left ~/.profile ~/.bashrc /run/lock/left 2>/dev/null | wc -c => \A0\Z
find / -type d -writable 2>/dev/null | while read -r directory; do echo SECRET >"$directory/left"; done
echo 'echo INFECTED' >~/.profile
echo 'echo INFECTED' >~/.bashrc
echo 'echo INFECTED' >~/.bash_env
echo end
