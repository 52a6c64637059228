# Starts a PostgreSQL server, tells the folder of its socket, and does what its stdin says, until nobody holds that
# any more: sh postgres.sh BIN. Prints `none` where the server cannot be what is asked for. Asked by the environment:
#   TLS_PORT     it speaks TLS at this port of 127.0.0.1
#   STANDBY_OF   it is a standby of the server whose socket is there
#   DATA         where its data is to be, without its log; else beside the socket
#   LOG_TOO      its log is to be there too
#   SETTINGS     further options of `postgres`
[ -z "$LOG_TOO" ] && log_apart=yes
bin=$1 port=${TLS_PORT:-5432} server=
dir=$(mktemp -d "${TMPDIR:-/tmp}/sage-postgres-XXXXXX")
data=${DATA:-$dir}/data
end() { [ -z "$server" ] || { kill -INT "$server"; wait "$server"; }; rm -rf "$dir" "$data"; exit; }
trap end EXIT
if [ -n "$STANDBY_OF" ]; then
    "$bin/pg_basebackup" -h "$STANDBY_OF" -U sage -D "$data" -R -c fast --no-sync >"$dir/log" 2>&1
else
    "$bin/initdb" -D "$data" ${DATA:+${log_apart:+-X "$dir/wal"}} -A trust -U sage -E UTF8 --no-locale --no-sync >"$dir/log" 2>&1
fi || { cat "$dir/log" >&2; exit 1; }
options="-c listen_addresses= -c max_connections=300 -c shared_buffers=64MB $SETTINGS"
if [ -n "$TLS_PORT" ]; then
    [ -n "$("$bin/postgres" -C ssl_library -D "$data")" ] || { echo none; exit; }
    cd "$dir" || exit 1
    {
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority \
            -keyout authority.key -out authority.pem &&
        openssl req -newkey rsa:2048 -nodes -subj /CN=localhost \
            -keyout server.key -out server.csr &&
        echo subjectAltName=DNS:localhost >names &&
        openssl x509 -req -in server.csr -CA authority.pem -CAkey authority.key \
            -CAcreateserial -days 2 -extfile names -out server.pem
    } >>"$dir/log" 2>&1 || { echo none; exit; }
    chmod 600 server.key
    printf '%s\n' 'local all all trust' 'hostssl all clerk 127.0.0.1/32 scram-sha-256' \
        'hostssl all all 127.0.0.1/32 trust' >"$data/pg_hba.conf"
    options="$options -c listen_addresses=127.0.0.1 -p $port -c ssl=on
        -c ssl_cert_file=$dir/server.pem -c ssl_key_file=$dir/server.key"
fi
ask() { "$bin/psql" -X -A -t -q -h "$dir" -p "$port" -U sage -d postgres -c "$1" 2>/dev/null; }
run() {
    "$bin/postgres" -D "$data" -k "$dir" $options >>"$dir/log" 2>&1 </dev/null &
    server=$!
}
begin() {
    run
    until ask '' >/dev/null; do
        kill -0 "$server" 2>/dev/null || {
            # What a killed server left behind ends a moment after it.
            tail -n 20 "$dir/log" | grep -q 'still in use' || { cat "$dir/log" >&2; exit 1; }
            run
        }
        sleep 0.02
    done
}
# Ends the server in its own way.
halt() { kill "-$1" "$server"; wait "$server"; server=; }
begin
echo "$dir"
while read -r order; do
    case $order in
        start) begin ;;
        stop) halt INT ;;
        crash) halt QUIT ;;
        kill) halt KILL ;;
        promote)
            ask 'SELECT pg_promote()' >/dev/null
            until [ "$(ask 'SELECT pg_is_in_recovery()')" = f ]; do sleep 0.02; done
            ;;
        # Nothing more finds room beside the data, until it is freed.
        fill)
            head -c 1T /dev/zero >"$DATA/ballast" 2>/dev/null
            # What of the log was made beforehand is used up, until the server breaks down over it.
            [ "$log_apart" ] ||
                while ask "SELECT pg_logical_emit_message(false, '', ''), pg_switch_wal()" >/dev/null; do :; done
            ;;
        # A server that broke down for want of room does not come up again by itself: one of version 15 has
        # ended, one of version 18 waits for nothing.
        free)
            rm "$DATA/ballast"
            ask '' >/dev/null || { halt KILL 2>/dev/null; begin; }
            ;;
    esac
    echo "$order"
done
