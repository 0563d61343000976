#!/bin/sh
# PostgreSQL with one database and one role of the portal's, made at the first start with the password of the secret.
set -eu
if [ ! -d /data/cluster ]; then
    rm -rf /data/making  # a first start that was interrupted
    initdb --pgdata /data/making --username postgres --auth-local trust --auth-host scram-sha-256 --encoding UTF8 --locale C.UTF-8 --data-checksums
    echo 'host all all all scram-sha-256' >> /data/making/pg_hba.conf
    postgres --single -D /data/making postgres <<SQL
CREATE ROLE evportal LOGIN PASSWORD '$(cat /run/secrets/postgres_password)'
CREATE DATABASE evportal OWNER evportal
SQL
    mv /data/making /data/cluster
fi
exec postgres -D /data/cluster -c listen_addresses='*' -c password_encryption=scram-sha-256
