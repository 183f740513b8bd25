-- Run once by the database image, as its superuser, in the database that POSTGRES_DB names: makes the
-- extensions, and a role for the indexer that may do anything in this database and nothing elsewhere.
\getenv password SOUNDALIKE_DB_PASSWORD

CREATE EXTENSION IF NOT EXISTS timescaledb;
CREATE EXTENSION IF NOT EXISTS vector;

CREATE ROLE soundalike LOGIN PASSWORD :'password';
-- To see whether TimescaleDB is preloaded.
GRANT pg_read_all_settings TO soundalike;
SELECT current_database() AS database \gset
ALTER DATABASE :"database" OWNER TO soundalike;
