#!/bin/sh
# Creates Temporal's two databases and their schema with Temporal's own tool, or updates them to the version of this image.
# SQL_* name the server and the role; docker-compose.yml sets them.
set -eu

for database in temporal:temporal temporal_visibility:visibility; do
  name=${database%%:*}
  versions=${SCHEMA_FOLDER:-/etc/temporal/schema}/postgresql/v12/${database##*:}/versioned
  temporal-sql-tool --db "$name" create
  temporal-sql-tool --db "$name" setup-schema -v 0.0
  temporal-sql-tool --db "$name" update-schema -d "$versions"
done
