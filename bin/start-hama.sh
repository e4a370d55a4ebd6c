#!/bin/sh
# Starts a master and grooms on the hosts of a file, over ssh.
#
#     HAMA_MASTER=m1:7070 HAMA_ZOOKEEPER=z1:2181,z2:2181,z3:2181 HAMA_TOKEN_FILE=/etc/hama/token bin/start-hama.sh [hosts]
#
# A line of the file `hosts` is a host, as the store names it, and what `hama groom run` is told there beside the rest:
#
#     dn1
#     dn2 --rack /rack2 --slots 8 --memory 48GiB --data-address 10.0.0.8
#
# The token file (`chmod 600`, the same on every host) makes it a cluster of many hosts; you trust the network then: there
# is no TLS. Without HAMA_TOKEN_FILE all is on this machine alone. HAMA_DIR (/var/lib/hama), HAMA (hama) and HAMA_SSH (ssh)
# say where the daemons write, how the command is called there, and how to get there. What runs already goes on.

# Words of files and variables are no patterns.
set -euf
. "$(dirname "$0")/hama-hosts.sh"
[ -n "${HAMA_ZOOKEEPER:-}" ] || fail "HAMA_ZOOKEEPER does not say HOST:PORT of ZooKeeper's servers"

# Runs `hama WORDS..` there as a process of its own, unless one of that name runs: $1 its folder, $2 its name, then words.
START=$RUNS'
dir=$1 name=$2
shift 2
# What it says is not for everybody; what it writes for others is: tables in a shared folder.
usual=$(umask)
umask 077
mkdir -p "$dir" && cd "$dir" || exit 1
pid=$(cat "$name.pid" 2>/dev/null) || pid=
if runs; then echo "$name runs already, process $pid"; exit; fi
setsid sh -c "echo \$\$ >\"\$0.pid\"; umask $usual; exec \"\$@\"" "$name" "$@" >>"$name.log" 2>&1 </dev/null &
sleep 1
pid=$(cat "$name.pid" 2>/dev/null) || pid=
if runs; then echo "$name is started, process $pid"; exit; fi
echo "$name has ended, its last words in $dir/$name.log:" >&2
tail -n 5 "$name.log" >&2
exit 1
'

# The address at which others reach a host.
address() {
    found=$(getent ahostsv4 "$1" | awk '{ print $1; exit }')
    [ -n "$found" ] || fail "nobody knows the address of the host $1"
    echo "$found"
}

if [ -n "${HAMA_TOKEN_FILE:-}" ]; then
    listen=0.0.0.0:${HAMA_MASTER##*:}
    set -- --token-file "$HAMA_TOKEN_FILE" --insecure-network
else
    listen=127.0.0.1:${HAMA_MASTER##*:}
    set --
fi
set -- "$@" --zookeeper "$HAMA_ZOOKEEPER"

failed=0
printf '%s: ' "$master_host"
on "$master_host" "$START" sh "$HAMA_DIR" master "$HAMA" master run --listen "$listen" --dir master "$@" || failed=1

while read -r groom options; do
    more=
    case " $options " in
    *" --data-address "* | *" --data-address="*) ;;
    *) [ -z "${HAMA_TOKEN_FILE:-}" ] || more="--data-address $(address "$groom")" ;;
    esac
    printf '%s: ' "$groom"
    # The options are words.
    # shellcheck disable=SC2086
    on "$groom" "$START" sh "$HAMA_DIR" "groom-$groom" "$HAMA" groom run --master "$HAMA_MASTER" --host "$groom" \
        --dir "groom-$groom" "$@" $more $options || failed=1
done <<LINES
$(hosts)
LINES
exit $failed
