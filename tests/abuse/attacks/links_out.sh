# abuse: symbolic and hard links that lead out of its directory, among what is taken back
# language: sh
# outputs: **
# expect: "event":\s*"end"
# never: root:[x*!]|"event":"file","path":"(shadow|passwd|up/[^"]*|hard)"
# machine: kept
ln -s /etc/passwd passwd
ln -s /etc/shadow shadow
ln -s / up
ln /etc/passwd hard
ln /bin/su hard2
mkdir sub && ln -s ../.. sub/parent
ln -s loop loop
echo "$PWD" >good.txt
ls >/dev/null
