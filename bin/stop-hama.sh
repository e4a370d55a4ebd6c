#!/bin/sh
# Ends what start-hama.sh has started: the grooms, with their peers, and then the master.
#
#     HAMA_MASTER=m1:7070 bin/stop-hama.sh [hosts]
#
# Jobs that run fail. Tables, logs and the master's records stay.

# Words of files and variables are no patterns.
set -euf
. "$(dirname "$0")/hama-hosts.sh"

# Ends the process that $1/$2.pid names, and waits until it is gone.
STOP=$RUNS'
cd "$1" 2>/dev/null || { echo "$2 does not run"; exit; }
pid=$(cat "$2.pid" 2>/dev/null) || pid=
if ! runs; then rm -f "$2.pid"; echo "$2 does not run"; exit; fi
kill "$pid"
tries=0
while kill -0 "$pid" 2>/dev/null; do
    tries=$((tries + 1))
    if [ "$tries" -gt 100 ]; then echo "$2, process $pid, does not end within 10 s" >&2; exit 1; fi
    sleep 0.1
done
rm -f "$2.pid"
echo "$2 has ended"
'

failed=0
for groom in $(hosts | awk '{ print $1 }'); do
    printf '%s: ' "$groom"
    on "$groom" "$STOP" sh "$HAMA_DIR" "groom-$groom" || failed=1
done
printf '%s: ' "$master_host"
on "$master_host" "$STOP" sh "$HAMA_DIR" master || failed=1
exit $failed
