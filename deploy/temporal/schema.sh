#!/bin/sh
# The schema of Temporal's two databases, as its own tool makes it: once, or up to the version of this image. SQL_* of the
# environment say where, and as whom; docker-compose.yml has them.
set -eu

for database in temporal:temporal temporal_visibility:visibility; do
  name=${database%%:*}
  versions=${SCHEMA_FOLDER:-/etc/temporal/schema}/postgresql/v12/${database##*:}/versioned
  temporal-sql-tool --db "$name" create
  temporal-sql-tool --db "$name" setup-schema -v 0.0
  temporal-sql-tool --db "$name" update-schema -d "$versions"
done
