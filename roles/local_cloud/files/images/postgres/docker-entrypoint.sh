#!/bin/sh
# What the official postgres image's entrypoint does, as far as an emulated database instance needs it: a first start makes the cluster in PGDATA with
# POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB; every start runs the server as postgres, never as root.
set -eu

if [ "$1" = postgres ] && [ "$(id -u)" = 0 ]; then
    install -d -o postgres -g postgres -m 0700 "$PGDATA"
    install -d -o postgres -g postgres -m 2775 /var/run/postgresql
    chown -R postgres:postgres "$PGDATA"
    exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi

if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    umask 0077
    password=$(mktemp)
    printf '%s\n' "${POSTGRES_PASSWORD:?is needed for the first start}" > "$password"
    initdb --username="${POSTGRES_USER:=postgres}" --pwfile="$password" --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8
    rm "$password"
    printf 'host all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
    if [ "${POSTGRES_DB:=$POSTGRES_USER}" != postgres ]; then
        pg_ctl -w -o "-c listen_addresses=''" start
        createdb --username="$POSTGRES_USER" --maintenance-db=postgres "$POSTGRES_DB"
        pg_ctl -w -m fast stop
    fi
fi

[ "$1" != postgres ] || set -- "$@" -c listen_addresses='*'
unset POSTGRES_PASSWORD
exec "$@"
