# abuse: fills /tmp
# language: sh
# expect: \[Memory limit\]|No space left|File too large|size limit
# machine: either
# then: ls -A /tmp | wc -l => \A0\Z
i=0
while [ $i -lt 200 ]; do
  i=$((i + 1))
  head -c 16777216 /dev/zero >/tmp/$i || break
done
echo "$i files"
