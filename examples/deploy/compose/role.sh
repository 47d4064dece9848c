#!/bin/sh
# Makes the role of the servers. The image of PostgreSQL runs this once, when it has made its empty database.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set password="$SERVER_PASSWORD" <<'SQL'
CREATE ROLE pb_link LOGIN PASSWORD :'password';
SQL
