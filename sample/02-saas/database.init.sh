#!/bin/sh
# PostgreSQL's image runs it once, on an empty volume. The application logs in as a role that owns its database and is no
# superuser.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$DATABASE_PASSWORD" -U "$POSTGRES_USER" <<'SQL'
CREATE ROLE app LOGIN PASSWORD :'password';
CREATE DATABASE app OWNER app;
SQL
