# abuse: writes files into its directory until there is no room
# language: sh
# expect: \[Memory limit\]|No space left|File too large|size limit
# machine: either
# then: ls -A | wc -l => \A1\Z
i=0
while [ $i -lt 200 ]; do
  i=$((i + 1))
  head -c 16777216 /dev/zero >file$i || break
done
echo "$i files"
