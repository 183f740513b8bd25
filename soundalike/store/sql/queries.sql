-- name: extensions
-- Available and installed versions of the relevant extensions.
SELECT name, installed_version, default_version
FROM pg_available_extensions
WHERE name IN ('vector', 'timescaledb', 'vectorscale');

-- name: table_exists
-- Uses the catalog instead of to_regclass, whose cache may lack a table that another process has just created.
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'soundalike' AND c.relname = %(name)s
);

-- name: schema_version
SELECT version FROM soundalike.schema_version;

-- name: set_schema_version
UPDATE soundalike.schema_version SET version = %(version)s;

-- name: lock_schema
-- Prevents two processes from creating the schema at once.
SELECT pg_advisory_xact_lock(hashtext('soundalike.schema'));

-- name: create_shard
-- One row: which of how many databases of one index this is. Other databases have no such table.
CREATE TABLE IF NOT EXISTS soundalike.shard (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    shards_id uuid NOT NULL,
    number integer NOT NULL,
    total integer NOT NULL
);

-- name: find_shard
SELECT shards_id::text, number, total FROM soundalike.shard;

-- name: put_shard
INSERT INTO soundalike.shard (shards_id, number, total) VALUES (%(shards_id)s::uuid, %(number)s, %(total)s)
ON CONFLICT (only_row) DO UPDATE
SET shards_id = excluded.shards_id, number = excluded.number, total = excluded.total;

-- name: is_in_use
SELECT EXISTS (SELECT FROM soundalike.collections) OR EXISTS (SELECT FROM soundalike.speakers)
    OR EXISTS (SELECT FROM soundalike.normal_models);

-- name: drop_schema
DROP SCHEMA IF EXISTS soundalike CASCADE;

-- name: find_collection
-- Always one row: the schema's version, and the collection, if it exists, with its number of chunks (0 without
-- TimescaleDB), and the server's estimate of its windows, which only the layout bit needs.
SELECT v.version, c.collection_id, c.name, c.created_at,
       (SELECT count(*)::integer FROM pg_catalog.pg_inherits
        WHERE inhparent = to_regclass('soundalike.windows_' || c.collection_id)),
       c.layout, c.centre::text,
       CASE WHEN c.centre IS NOT NULL THEN (
           SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_catalog.pg_class
           WHERE oid IN (
               SELECT to_regclass('soundalike.windows_' || c.collection_id)
               UNION ALL
               SELECT inhrelid FROM pg_catalog.pg_inherits
               WHERE inhparent = to_regclass('soundalike.windows_' || c.collection_id)
           )
       ) ELSE 0 END,
       c.encoder, c.fingerprint, c.dimension, c.window_s, c.stride_s
FROM soundalike.schema_version AS v LEFT JOIN soundalike.collections AS c ON c.name = %(name)s;

-- name: list_collections
SELECT collection_id, name, layout, encoder, fingerprint, dimension, window_s, stride_s
FROM soundalike.collections ORDER BY name;

-- name: put_collection
INSERT INTO soundalike.collections (name, encoder, fingerprint, dimension, window_s, stride_s)
VALUES (%(name)s, %(encoder)s, %(fingerprint)s, %(dimension)s, %(window_s)s, %(stride_s)s)
RETURNING collection_id, created_at;

-- name: layout_of
SELECT layout FROM soundalike.collections WHERE collection_id = %(collection)s;

-- name: take_layout
-- A new collection takes the layout of the one that it will replace.
UPDATE soundalike.collections SET layout = other.layout FROM soundalike.collections AS other
WHERE soundalike.collections.collection_id = %(collection)s AND other.name = %(like)s;

-- name: set_layout
UPDATE soundalike.collections SET layout = %(layout)s, centre = %(centre)s::halfvec
WHERE collection_id = %(collection)s;

-- name: lock_collection
-- Prevents changes to a collection by others until the transaction ends.
SELECT FROM soundalike.collections WHERE collection_id = %(collection)s FOR UPDATE;

-- name: share_collection
-- Excludes replacing or dropping the collection; allows concurrent additions.
SELECT FROM soundalike.collections WHERE collection_id = %(collection)s FOR KEY SHARE;

-- name: rename_collection
UPDATE soundalike.collections SET name = %(name)s WHERE collection_id = %(collection)s;

-- name: drop_collection
-- The windows first: a cascade would delete them slowly, row by row.
DROP TABLE soundalike.windows_{collection};
DELETE FROM soundalike.collections WHERE collection_id = {collection};

-- name: count_rows
SELECT (SELECT count(*) FROM soundalike.recordings WHERE collection_id = %(collection)s),
       (SELECT count(*) FROM soundalike.files WHERE collection_id = %(collection)s),
       (SELECT coalesce(sum(n_windows), 0) FROM soundalike.recordings
        WHERE collection_id = %(collection)s AND n_searchable >= 0);

-- name: count_starts
-- Number of recordings per source of the start time; NULL if unknown.
SELECT CASE WHEN recorded_at IS NOT NULL THEN coalesce(recorded_at_source, 'given') END,
       count(*), min(recorded_at), max(recorded_at)
FROM soundalike.recordings WHERE collection_id = %(collection)s GROUP BY 1;

-- name: count_shortcomings
-- Number of recordings from an earlier decoder, and of unsearchable recordings. Expired ones are neither.
SELECT count(*) FILTER (WHERE decoder_version < %(decoder_version)s AND n_searchable >= 0),
       count(*) FILTER (WHERE n_searchable = 0)
FROM soundalike.recordings WHERE collection_id = %(collection)s;

-- name: create_hypertable
-- For TimescaleDB before 2.20, which has no CREATE TABLE ... WITH (tsdb.hypertable).
SELECT create_hypertable('soundalike.windows_{collection}', by_range('window_time', INTERVAL '10 years'),
                         create_default_indexes => false);

-- name: events_to_hypertable
-- Makes a hypertable of the watched events, also where TimescaleDB came to the server after the table. A
-- role that does not own the table leaves it as it is.
SELECT create_hypertable('soundalike.watch_events', by_range('occurred_at', INTERVAL '1 month'),
                         create_default_indexes => false, migrate_data => true)
WHERE NOT EXISTS (
    SELECT FROM timescaledb_information.hypertables
    WHERE hypertable_schema = 'soundalike' AND hypertable_name = 'watch_events'
) AND (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'soundalike.watch_events'::regclass);

-- name: create_time_index
-- Stores the range of times of every 32 pages. Recordings are usually indexed in chronological order, so a
-- narrow time filter reads few pages.
CREATE INDEX IF NOT EXISTS windows_{collection}_time ON soundalike.windows_{collection}
USING brin (window_time) WITH (pages_per_range = 32);

-- name: lock_recordings
-- Serialises writers of the same recordings or paths until the transaction ends; in a fixed order, to prevent
-- deadlocks.
SELECT pg_advisory_xact_lock(hashtextextended(key, %(collection)s)) FROM unnest(%(keys)s) AS key
ORDER BY key;

-- name: find_files
SELECT uri, recording_id::text, label, tags, size_bytes, mtime_ns FROM soundalike.files
WHERE collection_id = %(collection)s AND uri = ANY (%(uris)s);

-- name: find_recordings
-- Excludes the deletion of these recordings.
SELECT recording_id::text, duration_s, recorded_at, recorded_at_source, decoder_version
FROM soundalike.recordings
WHERE collection_id = %(collection)s AND recording_id = ANY (%(recording_ids)s::uuid[])
ORDER BY soundalike.recordings.recording_id FOR NO KEY UPDATE;

-- name: list_files
-- A page of the paths of a collection, sorted. Selects the page before the join: with a plain join and without
-- statistics the planner would read all remaining paths for each page.
SELECT f.uri, f.recording_id::text, f.label, f.tags, r.duration_s, r.recorded_at, r.recorded_at_source,
       f.size_bytes, f.mtime_ns, r.n_windows
FROM (
    SELECT * FROM soundalike.files AS f
    WHERE f.collection_id = %(collection)s AND f.uri > %(after)s {narrowed}
    ORDER BY f.uri LIMIT %(limit)s
) AS f
CROSS JOIN LATERAL (
    SELECT * FROM soundalike.recordings AS r
    WHERE r.collection_id = %(collection)s AND r.recording_id = f.recording_id OFFSET 0
) AS r
ORDER BY f.uri;

-- name: outdated_files
-- Like list_files, for recordings from an earlier decoder.
SELECT f.uri, f.recording_id::text, f.label, f.tags, r.duration_s, r.recorded_at, r.recorded_at_source,
       f.size_bytes, f.mtime_ns, r.n_windows
FROM soundalike.files AS f JOIN soundalike.recordings AS r USING (collection_id, recording_id)
WHERE f.collection_id = %(collection)s AND f.uri > %(after)s
  AND r.decoder_version < %(decoder_version)s AND r.n_searchable >= 0
ORDER BY f.uri LIMIT %(limit)s;

-- name: narrow_files
-- Filters of label, tags and path on a row f of files, for list_files, filter_files and describe_filtered.
-- Containment uses the index, but also accepts part of a nested value; the equality of each tag is required.
AND (%(labels)s::text[] IS NULL OR f.label = ANY (%(labels)s))
AND (%(without_labels)s::text[] IS NULL OR (f.label = ANY (%(without_labels)s)) IS NOT TRUE)
AND f.tags @> %(tags)s::jsonb
AND NOT EXISTS (
    SELECT FROM jsonb_each(%(tags)s::jsonb) AS t WHERE f.tags -> t.key IS DISTINCT FROM t.value
)
AND (%(where)s::jsonpath IS NULL OR f.tags @@ %(where)s::jsonpath)
AND starts_with(f.uri, %(uri_prefix)s)

-- name: first_files
-- Recordings by id, each with its first path.
SELECT DISTINCT ON (f.recording_id)
       f.uri, f.recording_id::text, f.label, f.tags, r.duration_s, r.recorded_at, r.recorded_at_source,
       f.size_bytes, f.mtime_ns, r.n_windows
FROM soundalike.files AS f JOIN soundalike.recordings AS r USING (collection_id, recording_id)
WHERE f.collection_id = %(collection)s AND f.recording_id = ANY (%(recording_ids)s::uuid[])
ORDER BY f.recording_id, f.uri;

-- name: count_labels
SELECT label, count(*) FROM soundalike.files
WHERE collection_id = %(collection)s AND label IS NOT NULL
GROUP BY label ORDER BY count(*) DESC, label LIMIT %(limit)s;

-- name: count_folders
-- Folders with paths; the name of an upload has no folder.
SELECT coalesce(nullif(left(uri, -strpos(reverse(uri), '/')), ''), '/') AS folder, count(*)
FROM soundalike.files WHERE collection_id = %(collection)s AND position('/' IN uri) > 0
GROUP BY folder ORDER BY folder LIMIT %(limit)s;

-- name: known_files
-- Looks up each path by primary key: without statistics of growing tables the planner would read all rows.
SELECT f.uri, f.recording_id::text, f.label, f.tags, r.duration_s, r.recorded_at, r.recorded_at_source,
       f.size_bytes, f.mtime_ns, r.n_windows
FROM unnest(%(uris)s::text[]) AS u (uri)
CROSS JOIN LATERAL (
    SELECT * FROM soundalike.files AS f
    WHERE f.collection_id = %(collection)s AND f.uri = u.uri OFFSET 0
) AS f
CROSS JOIN LATERAL (
    SELECT * FROM soundalike.recordings AS r
    WHERE r.collection_id = %(collection)s AND r.recording_id = f.recording_id OFFSET 0
) AS r;

-- name: snapshot
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: recordings_page
-- The next recordings of a collection, sorted by id.
SELECT recording_id::text, n_windows FROM soundalike.recordings
WHERE collection_id = %(collection)s
  AND (%(after)s IS NULL OR recording_id > %(after)s::uuid)
ORDER BY recording_id LIMIT %(limit)s;

-- name: files_of_page
-- All paths of some recordings, with metadata.
SELECT f.recording_id::text, f.uri, f.label, f.tags, f.size_bytes, f.mtime_ns, r.duration_s, r.recorded_at,
       r.recorded_at_source, r.decoder_version
FROM soundalike.files AS f JOIN soundalike.recordings AS r USING (collection_id, recording_id)
WHERE f.collection_id = %(collection)s AND f.recording_id = ANY (%(recording_ids)s::uuid[])
ORDER BY f.recording_id, f.uri COLLATE "C";

-- name: windows_of_page
-- All windows of some recordings, with binary vectors, which are exact and several times faster than text.
SELECT recording_id::text, window_index, start_s, end_s, quality, halfvec_send(embedding)
FROM soundalike.windows_{collection} WHERE recording_id = ANY (%(recording_ids)s::uuid[])
ORDER BY recording_id, window_index;

-- name: windows_of_recording
SELECT window_index, start_s, end_s, quality FROM soundalike.windows_{collection}
WHERE recording_id = %(recording_id)s::uuid ORDER BY window_index;

-- name: vectors_of_windows
SELECT window_index, halfvec_send(embedding) FROM soundalike.windows_{collection}
WHERE recording_id = %(recording_id)s::uuid AND window_index = ANY (%(windows)s)
  AND embedding IS NOT NULL;

-- name: recordings_in_time
-- Ids and numbers of windows of the recordings that pass the filters of label, tags and path, in order of time.
SELECT uuid_send(r.recording_id), r.n_searchable
FROM soundalike.recordings AS r
CROSS JOIN LATERAL (
    SELECT min(f.uri) AS uri FROM soundalike.files AS f
    WHERE f.collection_id = r.collection_id AND f.recording_id = r.recording_id {narrowed}
) AS f
WHERE r.collection_id = %(collection)s AND r.n_searchable > 0 AND f.uri IS NOT NULL
  AND (%(recordings)s::uuid[] IS NULL OR r.recording_id = ANY (%(recordings)s::uuid[]))
  AND r.recording_id <> ALL (%(excluded)s::uuid[])
ORDER BY r.recorded_at NULLS LAST, f.uri;

-- name: searchable_windows
-- The windows of some recordings that have a vector and pass the filters of time, for a binary COPY.
SELECT w.recording_id, w.start_s, w.end_s, halfvec_send(w.embedding)
FROM soundalike.windows_{collection} AS w
WHERE w.recording_id = ANY (%(recording_ids)s::uuid[]) AND w.embedding IS NOT NULL {filters}
ORDER BY w.recording_id, w.window_index

-- name: delete_windows
DELETE FROM soundalike.windows_{collection} WHERE recording_id = %(recording_id)s::uuid;

-- name: renew_recording
UPDATE soundalike.recordings
SET duration_s = %(duration_s)s, recorded_at = %(recorded_at)s, recorded_at_source = %(source)s,
    n_windows = %(n_windows)s, n_searchable = %(n_searchable)s, decoder_version = %(decoder_version)s,
    indexed_at = now()
WHERE collection_id = %(collection)s AND recording_id = %(recording_id)s::uuid;

-- name: set_decoder_version
-- For a recording that is unchanged by a newer decoder.
UPDATE soundalike.recordings SET decoder_version = %(decoder_version)s
WHERE collection_id = %(collection)s AND recording_id = %(recording_id)s::uuid;

-- name: put_recordings
INSERT INTO soundalike.recordings (collection_id, recording_id, duration_s, recorded_at,
                                   recorded_at_source, n_windows, n_searchable, decoder_version)
SELECT v.collection_id, v.recording_id::uuid, v.duration_s, v.recorded_at::timestamptz,
       v.recorded_at_source, v.n_windows, v.n_searchable, v.decoder_version
FROM (VALUES %s) AS v (collection_id, recording_id, duration_s, recorded_at, recorded_at_source,
                       n_windows, n_searchable, decoder_version);

-- name: copy_windows
COPY soundalike.windows_{collection} (recording_id, window_index, window_time, start_s, end_s, quality,
                                      embedding)
FROM STDIN (FORMAT binary);

-- name: put_files
INSERT INTO soundalike.files (collection_id, uri, recording_id, label, tags, size_bytes, mtime_ns)
SELECT v.collection_id, v.uri, v.recording_id::uuid, v.label, v.tags::jsonb, v.size_bytes::bigint,
       v.mtime_ns::bigint
FROM (VALUES %s) AS v (collection_id, uri, recording_id, label, tags, size_bytes, mtime_ns)
ON CONFLICT (collection_id, uri) DO UPDATE
SET recording_id = excluded.recording_id, label = excluded.label, tags = excluded.tags,
    size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns;

-- name: delete_orphan
-- Deletes a recording without paths, with its windows.
DELETE FROM soundalike.recordings AS r
WHERE r.collection_id = %(collection)s AND r.recording_id = %(recording_id)s::uuid
  AND NOT EXISTS (
      SELECT FROM soundalike.files AS f
      WHERE f.collection_id = r.collection_id AND f.recording_id = r.recording_id
  );

-- name: lock_recordings_of
-- Excludes adding paths to these recordings.
SELECT r.recording_id::text FROM soundalike.recordings AS r
WHERE r.collection_id = %(collection)s AND r.recording_id IN (
    SELECT f.recording_id FROM soundalike.files AS f
    WHERE f.collection_id = %(collection)s
      AND (f.uri = %(key)s OR starts_with(f.uri, %(folder)s) OR f.recording_id = %(recording_id)s::uuid)
)
ORDER BY r.recording_id FOR UPDATE;

-- name: lock_recording_row
-- Like lock_recordings_of, for one recording.
SELECT FROM soundalike.recordings
WHERE collection_id = %(collection)s AND recording_id = %(recording_id)s::uuid FOR UPDATE;

-- name: delete_files
-- By exact path, by folder (all paths inside), or by recording.
DELETE FROM soundalike.files
WHERE collection_id = %(collection)s
  AND (uri = %(key)s OR starts_with(uri, %(folder)s) OR recording_id = %(recording_id)s::uuid)
RETURNING recording_id::text;

-- name: lock_recordings_under
-- Like lock_recordings_of, for exact paths.
SELECT r.recording_id::text FROM soundalike.recordings AS r
WHERE r.collection_id = %(collection)s AND r.recording_id IN (
    SELECT f.recording_id FROM soundalike.files AS f
    WHERE f.collection_id = %(collection)s AND f.uri = ANY (%(uris)s::text[])
)
ORDER BY r.recording_id FOR UPDATE;

-- name: delete_named_files
DELETE FROM soundalike.files
WHERE collection_id = %(collection)s AND uri = ANY (%(uris)s::text[])
RETURNING uri, recording_id::text;

-- name: known_lengths
SELECT recording_id::text, duration_s FROM soundalike.recordings
WHERE collection_id = %(collection)s AND recording_id = ANY (%(recording_ids)s::uuid[]);

-- name: missing_files
-- Paths of one collection that are missing in another one.
SELECT f.uri FROM soundalike.files AS f
WHERE f.collection_id = %(collection)s AND NOT EXISTS (
    SELECT FROM soundalike.files AS g WHERE g.collection_id = %(other)s AND g.uri = f.uri
)
ORDER BY f.uri;

-- name: delete_vanished
-- Deletes paths that were deleted from a collection while its successor was being built.
DELETE FROM soundalike.files AS f
WHERE f.collection_id = %(other)s AND NOT EXISTS (
    SELECT FROM soundalike.files AS g WHERE g.collection_id = %(collection)s AND g.uri = f.uri
)
RETURNING f.recording_id::text;

-- name: put_annotations
-- Skips annotations that are stored already, and recordings that are not.
INSERT INTO soundalike.annotations (collection_id, recording_id, start_s, end_s, low_hz, high_hz, label,
                                    source, created_at)
SELECT v.collection_id, v.recording_id::uuid, v.start_s, v.end_s, v.low_hz::double precision,
       v.high_hz::double precision, v.label, v.source, coalesce(v.created_at::timestamptz, now())
FROM (VALUES %s) AS v (collection_id, recording_id, start_s, end_s, low_hz, high_hz, label, source,
                       created_at)
WHERE EXISTS (
    SELECT FROM soundalike.recordings AS r
    WHERE r.collection_id = v.collection_id AND r.recording_id = v.recording_id::uuid
)
ON CONFLICT DO NOTHING RETURNING annotation_id;

-- name: choose_annotations
-- Conditions on a row a of annotations, for list_annotations and delete_annotations.
a.collection_id = %(collection)s
AND (%(label)s::text IS NULL OR a.label = %(label)s)
AND (%(recording_id)s::uuid IS NULL OR a.recording_id = %(recording_id)s::uuid)
AND (%(source)s::text IS NULL OR a.source = %(source)s)

-- name: list_annotations
-- A page, by recording and time, each with the first path of the recording.
SELECT a.annotation_id, a.recording_id::text, f.uri, a.start_s, a.end_s, a.label, a.low_hz, a.high_hz,
       a.source, a.created_at, r.duration_s
FROM (
    SELECT * FROM soundalike.annotations AS a
    WHERE {chosen}
      AND (%(after_id)s::bigint IS NULL OR (a.recording_id, a.start_s, a.annotation_id)
           > (%(after_recording)s::uuid, %(after_s)s::double precision, %(after_id)s::bigint))
    ORDER BY a.recording_id, a.start_s, a.annotation_id LIMIT %(limit)s
) AS a
JOIN soundalike.recordings AS r USING (collection_id, recording_id)
CROSS JOIN LATERAL (
    SELECT uri FROM soundalike.files AS f
    WHERE f.collection_id = a.collection_id AND f.recording_id = a.recording_id ORDER BY f.uri LIMIT 1
) AS f
ORDER BY a.recording_id, a.start_s, a.annotation_id;

-- name: count_annotations
SELECT label, count(*) FROM soundalike.annotations
WHERE collection_id = %(collection)s GROUP BY label ORDER BY count(*) DESC, label LIMIT %(limit)s;

-- name: delete_annotations
DELETE FROM soundalike.annotations AS a WHERE {chosen};

-- name: keep_annotations
-- Copies annotations into a collection's successor, where it has the recordings.
INSERT INTO soundalike.annotations (collection_id, recording_id, start_s, end_s, low_hz, high_hz, label,
                                    source, created_at)
SELECT r.collection_id, a.recording_id, a.start_s, a.end_s, a.low_hz, a.high_hz, a.label, a.source,
       a.created_at
FROM soundalike.annotations AS a
JOIN soundalike.recordings AS r
  ON r.collection_id = %(other)s AND r.recording_id = a.recording_id
WHERE a.collection_id = %(collection)s
ON CONFLICT DO NOTHING;

-- name: search_settings
-- The planner overestimates the cost of a vector index and would compile the statement, which takes longer than
-- the search.
SET LOCAL jit = off;
SET LOCAL hnsw.iterative_scan = 'relaxed_order';
SET LOCAL hnsw.ef_search = {ef_search};

-- name: search
-- All windows of the query in one round trip. The inner query has the form that an HNSW index supports:
-- ORDER BY the plain distance, LIMIT.
SELECT q.query_window, h.recording_id::text, h.window_index, h.start_s, h.end_s, 1 - h.distance
FROM unnest(%(vectors)s::halfvec[], %(query_windows)s::integer[]) AS q (embedding, query_window)
CROSS JOIN LATERAL (
    SELECT w.recording_id, w.window_index, w.start_s, w.end_s, w.embedding <=> q.embedding AS distance
    FROM soundalike.windows_{collection} AS w
    WHERE w.embedding IS NOT NULL {filters}
    ORDER BY (w.embedding <=> q.embedding) {exactly}
    LIMIT %(limit)s
) AS h;

-- name: search_bits
-- With an index of one bit for each number of a vector. The innermost query has the form that this index supports;
-- its windows are ranked by their stored vectors.
SELECT q.query_window, h.recording_id::text, h.window_index, h.start_s, h.end_s, 1 - h.distance
FROM unnest(%(vectors)s::halfvec[], %(bits)s::varbit[], %(query_windows)s::integer[])
     AS q (embedding, bits, query_window)
CROSS JOIN LATERAL (
    SELECT c.recording_id, c.window_index, c.start_s, c.end_s, c.embedding <=> q.embedding AS distance
    FROM (
        SELECT w.recording_id, w.window_index, w.start_s, w.end_s, w.embedding
        FROM soundalike.windows_{collection} AS w
        WHERE w.embedding IS NOT NULL {filters}
        ORDER BY (binary_quantize(w.embedding - '{centre}'::halfvec)::bit({dimension}))
                 <~> q.bits::bit({dimension})
        LIMIT {candidates}
    ) AS c
    ORDER BY distance LIMIT %(limit)s
) AS h;

-- name: filter_files
-- Part of a search with filters of label, tags or path.
AND EXISTS (
    SELECT FROM soundalike.files AS f
    WHERE f.collection_id = {collection} AND f.recording_id = w.recording_id
      {narrowed}
)

-- name: filter_excluded
AND w.recording_id <> ALL (%(excluded)s::uuid[])

-- name: filter_since
-- A comparison of the plain column with a constant, which lets TimescaleDB exclude chunks.
AND w.window_time >= %(since)s

-- name: filter_until
AND w.window_time < %(until)s

-- name: filter_time_of_day
-- Shifts the clock so that the period begins at midnight; it may span midnight.
AND (w.window_time AT TIME ZONE %(zone)s)::time - %(day_begin)s < %(day_length)s

-- name: count_by_time
-- Compares all windows with the query. Overlapping or adjacent windows of a recording are one occurrence, which
-- begins with the first. The offset distinguishes the two equal hours of a clock change.
WITH alike AS (
    SELECT w.recording_id, w.window_time, w.start_s, w.end_s
    FROM soundalike.windows_{collection} AS w
    WHERE w.embedding IS NOT NULL
      AND EXISTS (
          SELECT FROM unnest(%(vectors)s::halfvec[]) AS q (embedding)
          WHERE 1 - (w.embedding <=> q.embedding) >= %(min_score)s
      ) {filters}
),
marked AS (
    SELECT window_time, start_s > %(touch_s)s + max(end_s) OVER (
               PARTITION BY recording_id ORDER BY start_s
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ) AS is_apart
    FROM alike
),
begun AS (
    SELECT window_time >= %(first_known)s AS is_dated,
           window_time AT TIME ZONE %(bucket_zone)s AS clock,
           window_time AT TIME ZONE 'UTC' AS utc
    FROM marked WHERE is_apart IS NOT FALSE
)
SELECT CASE WHEN is_dated THEN {bucket} END,
       CASE WHEN is_dated AND %(unit)s = 'hour' THEN clock - utc END,
       count(*)
FROM begun GROUP BY 1, 2;

-- name: time_bucket
-- With TimescaleDB; weeks begin on Monday.
time_bucket(%(width)s::interval, clock)

-- name: date_trunc
date_trunc(%(unit)s, clock)

-- name: describe_filtered
-- The recordings of the hits, each with its first path that passes the filters; none if the collection was
-- deleted or renamed.
SELECT DISTINCT ON (r.recording_id)
       r.recording_id::text, f.uri, r.duration_s, f.label, f.tags, r.recorded_at, r.recorded_at_source,
       r.n_searchable
FROM soundalike.recordings AS r
JOIN soundalike.files AS f USING (collection_id, recording_id)
WHERE r.collection_id = (
    SELECT collection_id FROM soundalike.collections
    WHERE collection_id = %(collection)s AND name = %(name)s::text AND created_at = %(created_at)s
) AND r.recording_id = ANY (%(recording_ids)s::uuid[])
  {narrowed}
ORDER BY r.recording_id, f.uri;

-- name: describe
-- The recordings of the hits, each with its first path; none if the collection was deleted or renamed. Half the
-- planning time of describe_filtered.
SELECT r.recording_id::text, f.uri, r.duration_s, f.label, f.tags, r.recorded_at, r.recorded_at_source,
       r.n_searchable
FROM soundalike.collections AS c
JOIN soundalike.recordings AS r ON r.collection_id = c.collection_id
CROSS JOIN LATERAL (
    SELECT * FROM soundalike.files AS f
    WHERE f.collection_id = {collection} AND f.recording_id = r.recording_id ORDER BY f.uri LIMIT 1
) AS f
WHERE c.collection_id = {collection} AND c.name = %(name)s::text
  AND c.created_at = %(created_at)s::timestamptz AND r.recording_id = ANY (%(recording_ids)s::uuid[]);

-- name: estimate_windows
-- Exact on both kinds of table; a hypertable's own statistics are empty.
SELECT count(*) FROM (SELECT FROM soundalike.windows_{collection} LIMIT %(limit)s) AS counted;

-- name: create_index
CREATE INDEX IF NOT EXISTS windows_{collection}_embedding ON soundalike.windows_{collection}
USING hnsw (embedding halfvec_cosine_ops) WITH (m = 24, ef_construction = 128);

-- name: create_bit_index
CREATE INDEX IF NOT EXISTS windows_{collection}_embedding ON soundalike.windows_{collection}
USING hnsw ((binary_quantize(embedding - '{centre}'::halfvec)::bit({dimension})) bit_hamming_ops)
WITH (m = 16, ef_construction = 128);

-- name: mean_of_sample
-- Of the first recordings by id, a random sample.
SELECT avg(s.embedding)::halfvec::text FROM (
    SELECT w.embedding
    FROM soundalike.windows_{collection} AS w JOIN (
        SELECT recording_id FROM soundalike.recordings WHERE collection_id = {collection}
        ORDER BY recording_id LIMIT %(recordings)s
    ) AS r USING (recording_id)
    WHERE w.embedding IS NOT NULL LIMIT %(windows)s
) AS s;

-- name: stop_if_alone
-- Lets the server check regularly whether the client is still connected. From version 14 on.
SELECT set_config(name, '2s', true) FROM pg_settings WHERE name = 'client_connection_check_interval';

-- name: set_index_aside
-- Before rebuilding the index; searches use the old one until the end of the transaction.
ALTER INDEX soundalike.windows_{collection}_embedding RENAME TO windows_{collection}_embedding_old;

-- name: drop_index_aside
DROP INDEX IF EXISTS soundalike.windows_{collection}_embedding_old;

-- name: analyze
ANALYZE soundalike.windows_{collection};

-- name: may_create_vector
-- Whether this role may create the extension.
SELECT EXISTS (
    SELECT FROM pg_available_extension_versions AS v JOIN pg_roles AS r ON r.rolname = current_user
    WHERE v.name = 'vector'
      AND (r.rolsuper
           OR (v.trusted OR NOT v.superuser) AND has_database_privilege(current_database(), 'CREATE'))
);

-- name: schema_owner
SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'soundalike';

-- name: quality_of_sample
-- Number of windows, and of those without an embedding, in the first recordings by id, a random sample.
SELECT count(*), count(*) FILTER (WHERE quality <> 'ok') FROM soundalike.windows_{collection}
WHERE recording_id IN (
    SELECT recording_id FROM soundalike.recordings WHERE collection_id = {collection}
    ORDER BY recording_id LIMIT %(limit)s
);

-- name: least_useful
-- Paths of the recordings in the same sample with the highest share of such windows.
SELECT (SELECT min(f.uri) FROM soundalike.files AS f
        WHERE f.collection_id = {collection} AND f.recording_id = w.recording_id)
FROM soundalike.windows_{collection} AS w JOIN (
    SELECT recording_id FROM soundalike.recordings WHERE collection_id = {collection}
    ORDER BY recording_id LIMIT %(limit)s
) AS r USING (recording_id)
GROUP BY w.recording_id
HAVING avg((w.quality <> 'ok')::integer) > %(share)s
ORDER BY avg((w.quality <> 'ok')::integer) DESC, count(*) DESC, w.recording_id LIMIT %(shown)s;

-- name: count_orphans
SELECT count(*) FROM soundalike.recordings AS r
WHERE r.collection_id = %(collection)s AND NOT EXISTS (
    SELECT FROM soundalike.files AS f
    WHERE f.collection_id = r.collection_id AND f.recording_id = r.recording_id
);

-- name: delete_orphans
-- For users: deletes recordings without paths.
DELETE FROM soundalike.recordings AS r
WHERE r.collection_id = {collection} AND NOT EXISTS (
    SELECT FROM soundalike.files AS f
    WHERE f.collection_id = r.collection_id AND f.recording_id = r.recording_id
);

-- name: wrong_counts
-- Recordings of a sample whose number of windows differs from the stored one, each with a path.
SELECT r.recording_id::text, (SELECT min(f.uri) FROM soundalike.files AS f
                              WHERE f.collection_id = {collection} AND f.recording_id = r.recording_id)
FROM (
    SELECT recording_id, n_windows FROM soundalike.recordings
    WHERE collection_id = {collection} AND n_searchable >= 0
    ORDER BY recording_id LIMIT %(limit)s
) AS r
WHERE r.n_windows <> (
    SELECT count(*) FROM soundalike.windows_{collection} AS w WHERE w.recording_id = r.recording_id
)
ORDER BY r.recording_id;

-- name: sample_windows
-- A fixed sample of the collection's vectors.
SELECT halfvec_send(w.embedding)
FROM soundalike.windows_{collection} AS w JOIN (
    SELECT recording_id FROM soundalike.recordings WHERE collection_id = {collection}
    ORDER BY recording_id LIMIT %(limit)s
) AS r USING (recording_id)
WHERE w.embedding IS NOT NULL
ORDER BY md5(w.recording_id::text || w.window_index) LIMIT %(limit)s;

-- name: load_null_model
SELECT model FROM soundalike.null_models WHERE collection_id = %(collection)s;

-- name: save_null_model
-- Nothing happens if the collection was deleted meanwhile.
INSERT INTO soundalike.null_models (collection_id, made_at, model)
SELECT collection_id, %(made_at)s, %(model)s FROM soundalike.collections
WHERE collection_id = %(collection)s FOR KEY SHARE
ON CONFLICT (collection_id) DO UPDATE SET made_at = excluded.made_at, model = excluded.model, events = '{}';

-- name: load_event_models
SELECT events FROM soundalike.null_models WHERE collection_id = %(collection)s;

-- name: save_event_models
UPDATE soundalike.null_models SET events = events || %(events)s WHERE collection_id = %(collection)s;

-- name: count_recordings
SELECT count(*) FROM soundalike.recordings WHERE collection_id = %(collection)s;

-- name: sample_recordings
-- The first searchable recordings by id, a random sample, with the labels of their paths.
SELECT r.recording_id::text, r.n_windows,
       (SELECT array_agg(DISTINCT f.label) FROM soundalike.files AS f
        WHERE f.collection_id = r.collection_id AND f.recording_id = r.recording_id AND f.label IS NOT NULL)
FROM soundalike.recordings AS r
WHERE r.collection_id = %(collection)s AND r.n_searchable > 0
ORDER BY r.recording_id LIMIT %(limit)s;

-- name: sample_blocks
-- Adjacent windows of some recordings. Looks up each recording by primary key: without statistics the planner
-- would read all windows.
SELECT w.recording_id::text, halfvec_send(w.embedding)
FROM unnest(%(recording_ids)s::uuid[], %(firsts)s::integer[], %(lengths)s::integer[])
     AS s (recording_id, first, length)
CROSS JOIN LATERAL (
    SELECT * FROM soundalike.windows_{collection} AS w
    WHERE w.recording_id = s.recording_id
      AND w.window_index >= s.first AND w.window_index < s.first + s.length
    OFFSET 0
) AS w
WHERE w.embedding IS NOT NULL
ORDER BY w.recording_id, w.window_index;

-- name: window_vectors
-- The vectors of some windows, in the order asked for. Looks up each by primary key, like sample_blocks.
SELECT s.number - 1, halfvec_send(w.embedding)
FROM unnest(%(recording_ids)s::uuid[], %(window_indexes)s::integer[])
     WITH ORDINALITY AS s (recording_id, window_index, number)
CROSS JOIN LATERAL (
    SELECT * FROM soundalike.windows_{collection} AS w
    WHERE w.recording_id = s.recording_id AND w.window_index = s.window_index
    OFFSET 0
) AS w
WHERE w.embedding IS NOT NULL;

-- name: vector_indexes
-- Name, validity and size of the vector index, and of its parts in the chunks of a hypertable.
SELECT c.relname, i.indisvalid, pg_relation_size(c.oid)
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_am AS m ON m.oid = c.relam
WHERE m.amname = 'hnsw' AND i.indrelid IN (
    SELECT 'soundalike.windows_{collection}'::regclass
    UNION ALL
    SELECT inhrelid FROM pg_inherits WHERE inhparent = 'soundalike.windows_{collection}'::regclass
)
ORDER BY c.relname;

-- name: planner_setting
SELECT setting, source FROM pg_settings WHERE name = 'enable_indexscan';

-- name: memory_settings
-- In bytes.
SELECT pg_size_bytes(current_setting('shared_buffers')),
       pg_size_bytes(current_setting('effective_cache_size')),
       pg_size_bytes(current_setting('maintenance_work_mem'));

-- name: chunks
-- Number of chunks of a hypertable, and of compressed chunks.
SELECT count(*), count(*) FILTER (WHERE is_compressed) FROM timescaledb_information.chunks
WHERE hypertable_schema = 'soundalike' AND hypertable_name = 'windows_{collection}';

-- name: compression_jobs
SELECT count(*) FROM timescaledb_information.jobs
WHERE hypertable_schema = 'soundalike' AND hypertable_name = 'windows_{collection}'
  AND proc_name IN ('policy_compression', 'policy_columnstore');

-- name: stop_compression
-- For users, like the next statement.
SELECT remove_compression_policy('soundalike.windows_{collection}', true);

-- name: decompress
SELECT decompress_chunk(chunk, true) FROM show_chunks('soundalike.windows_{collection}') AS chunk;

-- name: lock_speakers
-- Serialises enrolments and removals until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('soundalike.speakers'));

-- name: voice_encoder
SELECT encoder, fingerprint, dimension FROM soundalike.voice_encoder;

-- name: put_voice_encoder
INSERT INTO soundalike.voice_encoder (encoder, fingerprint, dimension)
VALUES (%(encoder)s, %(fingerprint)s, %(dimension)s) ON CONFLICT DO NOTHING;

-- name: forget_voice_encoder
-- Once no speaker is left.
DELETE FROM soundalike.voice_encoder WHERE NOT EXISTS (SELECT FROM soundalike.speakers);

-- name: put_speaker
INSERT INTO soundalike.speakers (name) VALUES (%(name)s) ON CONFLICT DO NOTHING;

-- name: find_speaker
SELECT speaker_id FROM soundalike.speakers WHERE name = %(name)s;

-- name: uri_of_utterance
SELECT uri FROM soundalike.utterances
WHERE speaker_id = %(speaker)s AND recording_id = %(recording_id)s::uuid;

-- name: put_utterance
INSERT INTO soundalike.utterances (speaker_id, recording_id, uri, duration_s, speech_s, embedding)
VALUES (%(speaker)s, %(recording_id)s::uuid, %(uri)s, %(duration_s)s, %(speech_s)s, %(vector)s::vector)
ON CONFLICT (speaker_id, recording_id) DO UPDATE SET uri = excluded.uri;

-- name: list_speakers
SELECT s.name, count(*), sum(u.speech_s), s.enrolled_at
FROM soundalike.speakers AS s JOIN soundalike.utterances AS u USING (speaker_id)
GROUP BY s.speaker_id ORDER BY s.name;

-- name: list_utterances
SELECT u.recording_id::text, u.uri, u.duration_s, u.speech_s, u.enrolled_at
FROM soundalike.utterances AS u JOIN soundalike.speakers AS s USING (speaker_id)
WHERE s.name = %(name)s ORDER BY u.enrolled_at, u.recording_id;

-- name: score_speakers
-- The cosine of the angle to the mean of a speaker's utterances.
SELECT s.name, 1 - (avg(u.embedding) <=> %(vector)s::vector) AS score
FROM soundalike.speakers AS s JOIN soundalike.utterances AS u USING (speaker_id)
WHERE %(name)s::text IS NULL OR s.name = %(name)s
GROUP BY s.speaker_id ORDER BY score DESC, s.name LIMIT %(limit)s;

-- name: remove_speaker
DELETE FROM soundalike.speakers WHERE name = %(name)s;

-- name: remove_utterance
DELETE FROM soundalike.utterances AS u USING soundalike.speakers AS s
WHERE s.speaker_id = u.speaker_id AND s.name = %(name)s AND u.recording_id = %(recording_id)s::uuid;

-- name: forget_silent_speakers
-- Speakers without utterances.
DELETE FROM soundalike.speakers AS s
WHERE NOT EXISTS (SELECT FROM soundalike.utterances AS u WHERE u.speaker_id = s.speaker_id);

-- name: is_utterance
SELECT EXISTS (SELECT FROM soundalike.utterances WHERE uri = %(uri)s);

-- name: list_normal_models
SELECT name, version, summary, created_at, updated_at FROM soundalike.normal_models ORDER BY name;

-- name: find_normal_model
SELECT name, version, summary, created_at, updated_at, model
FROM soundalike.normal_models WHERE name = %(name)s;

-- name: put_normal_model
INSERT INTO soundalike.normal_models (name, summary, model)
VALUES (%(name)s, %(summary)s::jsonb, %(model)s) ON CONFLICT DO NOTHING;

-- name: replace_normal_model
UPDATE soundalike.normal_models
SET version = version + 1, summary = %(summary)s::jsonb, model = %(model)s, updated_at = now()
WHERE name = %(name)s AND version = %(version)s;

-- name: remove_normal_model
DELETE FROM soundalike.normal_models WHERE name = %(name)s;

-- name: remove_watch_events
DELETE FROM soundalike.watch_events WHERE name = %(name)s;

-- name: share_normal_model
-- Keeps the model from being removed until the transaction ends.
SELECT FROM soundalike.normal_models WHERE name = %(name)s FOR KEY SHARE;

-- name: put_watched_file
INSERT INTO soundalike.watched_files (name, uri, size_bytes, mtime_ns, event_id, is_told)
VALUES (%(name)s, %(uri)s, %(size_bytes)s, %(mtime_ns)s, %(event_id)s, %(is_told)s)
ON CONFLICT DO NOTHING;

-- name: put_watch_event
INSERT INTO soundalike.watch_events
    (event_id, name, uri, size_bytes, mtime_ns, occurred_at, is_anomalous, details)
VALUES (%(event_id)s, %(name)s, %(uri)s, %(size_bytes)s, %(mtime_ns)s, %(occurred_at)s, %(is_anomalous)s,
        %(details)s::jsonb);

-- name: list_watched_files
SELECT uri, size_bytes, mtime_ns FROM soundalike.watched_files
WHERE name = %(name)s AND uri = ANY (%(uris)s);

-- name: rename_watched_file
UPDATE soundalike.watched_files AS w SET uri = %(new_uri)s
WHERE name = %(name)s AND uri = %(uri)s AND size_bytes = %(size_bytes)s AND mtime_ns = %(mtime_ns)s
  AND NOT EXISTS (
    SELECT FROM soundalike.watched_files
    WHERE name = w.name AND uri = %(new_uri)s AND size_bytes = w.size_bytes AND mtime_ns = w.mtime_ns
  );

-- name: list_watch_events
SELECT event_id::text, name, uri, size_bytes, mtime_ns, occurred_at, is_anomalous, details
FROM soundalike.watch_events
WHERE name = %(name)s AND (%(since)s::timestamptz IS NULL OR occurred_at >= %(since)s)
  AND (is_anomalous OR NOT %(only_anomalous)s)
ORDER BY occurred_at DESC, event_id DESC LIMIT %(limit)s;

-- name: list_untold_events
SELECT e.event_id::text, e.name, e.uri, e.size_bytes, e.mtime_ns, e.occurred_at, e.is_anomalous, e.details
FROM soundalike.watched_files AS w JOIN soundalike.watch_events AS e USING (event_id)
WHERE w.name = %(name)s AND NOT w.is_told ORDER BY e.occurred_at, e.event_id;

-- name: mark_told
UPDATE soundalike.watched_files SET is_told = true WHERE event_id = %(event_id)s;

-- name: list_searches
-- Without vectors.
SELECT s.name, s.version, s.definition, s.created_at, s.updated_at
FROM soundalike.searches AS s
WHERE s.collection_id = %(collection)s ORDER BY s.name;

-- name: find_search
SELECT name, version, definition, created_at, updated_at, vectors
FROM soundalike.searches WHERE collection_id = %(collection)s AND name = %(name)s;

-- name: put_search
-- With replace, an existing search keeps its marks.
INSERT INTO soundalike.searches AS s (collection_id, name, definition, vectors)
VALUES (%(collection)s, %(name)s, %(definition)s::jsonb, %(vectors)s)
ON CONFLICT (collection_id, name) DO UPDATE
SET version = s.version + 1, definition = excluded.definition, vectors = excluded.vectors, updated_at = now()
WHERE %(replace)s
RETURNING search_id;

-- name: remove_search
DELETE FROM soundalike.searches WHERE collection_id = %(collection)s AND name = %(name)s;

-- name: lock_search
-- One change of the marks of a search at a time, so that the latest one is certain.
SELECT search_id FROM soundalike.searches
WHERE collection_id = %(collection)s AND name = %(name)s FOR UPDATE;

-- name: put_search_marks
INSERT INTO soundalike.search_marks (search_id, recording_id, uri, start_s, end_s, is_right, marked_by, marked_at)
SELECT v.search_id, v.recording_id::uuid, v.uri, v.start_s, v.end_s, v.is_right::boolean, v.marked_by,
       coalesce(v.marked_at::timestamptz, clock_timestamp())
FROM (VALUES %s) AS v (number, search_id, recording_id, uri, start_s, end_s, is_right, marked_by, marked_at)
ORDER BY v.number;

-- name: put_search_acceptance
-- Its time is that of the annotations: of the same transaction, or given.
INSERT INTO soundalike.search_marks (search_id, uri, start_s, end_s, marked_by, marked_at, accepted_label)
VALUES (%(search)s, '', 0, 0, %(by)s, coalesce(%(at)s::timestamptz, now()), %(label)s);

-- name: list_search_marks
-- Of equal places the latest row, if it is a mark; in the order of marking.
SELECT recording_id::text, uri, start_s, end_s, is_right, marked_by, marked_at
FROM (
    SELECT DISTINCT ON (m.recording_id, m.start_s, m.end_s) m.*
    FROM soundalike.search_marks AS m
    JOIN soundalike.searches AS s USING (search_id)
    WHERE s.collection_id = %(collection)s AND s.name = %(name)s AND m.recording_id IS NOT NULL
    ORDER BY m.recording_id, m.start_s, m.end_s, m.mark_id DESC
) AS latest
WHERE is_right IS NOT NULL ORDER BY mark_id;

-- name: undo_search_mark
DELETE FROM soundalike.search_marks WHERE mark_id = (
    SELECT max(mark_id) FROM soundalike.search_marks WHERE search_id = %(search)s
)
RETURNING recording_id::text, uri, start_s, end_s, is_right, marked_by, marked_at, accepted_label;

-- name: delete_accepted
DELETE FROM soundalike.annotations
WHERE collection_id = %(collection)s AND label = %(label)s AND source = %(source)s AND created_at = %(at)s;

-- name: keep_searches
-- Moves named searches to a collection's successor.
UPDATE soundalike.searches SET collection_id = %(other)s WHERE collection_id = %(collection)s;

-- name: find_map_layout
SELECT layout FROM soundalike.map_layouts WHERE collection_id = %(collection)s AND name = %(name)s;

-- name: put_map_layout
-- Nothing happens if the collection was deleted meanwhile.
INSERT INTO soundalike.map_layouts (collection_id, name, layout)
SELECT collection_id, %(name)s, %(layout)s FROM soundalike.collections
WHERE collection_id = %(collection)s FOR KEY SHARE
ON CONFLICT (collection_id, name) DO UPDATE SET made_at = now(), layout = excluded.layout;
