# What start-hama.sh and stop-hama.sh share: the hosts, and how they are told what to do. Not to be run.

# By which name hama runs there, the folder for all that the daemons write there, and how one gets there.
: "${HAMA:=hama}"
: "${HAMA_DIR:=/var/lib/hama}"
: "${HAMA_SSH:=ssh -o BatchMode=yes -o ConnectTimeout=10}"

fail() {
    echo "$0: $1" >&2
    exit 2
}

# A word as a shell reads it again.
quoted() {
    printf "'%s' " "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}

# on HOST WORD...: runs a shell with these words there.
on() {
    host=$1
    shift
    line=
    for word in "$@"; do line="$line$(quoted "$word")"; done
    # What HAMA_SSH holds are words.
    $HAMA_SSH "$host" "sh -c $line" </dev/null
}

# Whether the process $pid is a daemon of ours: after a crash its number may be that of somebody else.
RUNS='
runs() {
    [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || return 1
    case $(tr "\0" " " <"/proc/$pid/cmdline" 2>/dev/null) in
    *hama*" run "*) ;;
    *) return 1 ;;
    esac
}
'

# Reads the lines of the hosts file: a host, and the options of its groom.
hosts() {
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$hosts_file"
}

case $# in
0) hosts_file=hosts ;;
1) hosts_file=$1 ;;
*) fail "too many words: a hosts file is all that is wanted" ;;
esac
case $hosts_file in
-*) fail "a hosts file is wanted, with a line for each groom: HOST [OPTIONS OF \`hama groom run\`]" ;;
esac
[ -r "$hosts_file" ] || fail "cannot read the hosts file $hosts_file"
[ -n "$(hosts)" ] || fail "$hosts_file names no host"
[ -n "${HAMA_MASTER:-}" ] || fail "HAMA_MASTER does not say HOST:PORT of the master"
master_host=${HAMA_MASTER%:*}
