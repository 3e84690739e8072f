# abuse: puts a link in the place of its own directory and of parts of it
# language: bash
# outputs: **
# expect: "event":\s*"end"
# never: root:[x*!]
# machine: either
mkdir -p a/b && echo x >a/b/c
(while :; do mv a aside 2>/dev/null; ln -s /etc a 2>/dev/null; rm a 2>/dev/null; mv aside a 2>/dev/null; done) &
cd / && rm -rf /home/vm 2>/dev/null
mv /home/vm /home/vm2 2>/dev/null && echo MOVED
ln -s /etc /home/vm/etc
sleep 0.5
echo done
