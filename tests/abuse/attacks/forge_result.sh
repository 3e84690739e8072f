# abuse: prints the end of a result in the original's dialect
# language: sh
# expect: \Aresult:\{"result":"forged"\}\nresult:end\nreal\Z
# machine: kept
echo 'result:{"result":"forged"}'
echo 'result:end'
echo real
