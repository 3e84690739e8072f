# abuse: writes one file that is too large
# language: sh
# expect: size limit
# machine: either
exec head -c 1000000000 /dev/zero >file
