-- Add the version of the decoder and the number of searchable windows of each recording.

-- Count windows, which reads all of them, before locking tables.
CREATE TABLE soundalike.counted (collection_id integer, recording_id uuid, n integer);
DO $$
DECLARE number integer;
BEGIN
    FOR number IN SELECT collection_id FROM soundalike.collections LOOP
        EXECUTE format(
            'INSERT INTO soundalike.counted
             SELECT %s, recording_id, count(*) FILTER (WHERE embedding IS NOT NULL)
             FROM soundalike.windows_%s GROUP BY recording_id', number, number);
    END LOOP;
END $$;

ALTER TABLE soundalike.recordings
    ADD COLUMN n_searchable integer,
    ADD COLUMN decoder_version integer NOT NULL DEFAULT 1;
ALTER TABLE soundalike.recordings ALTER COLUMN decoder_version DROP DEFAULT;
UPDATE soundalike.recordings AS r SET n_searchable = c.n
FROM soundalike.counted AS c
WHERE c.collection_id = r.collection_id AND c.recording_id = r.recording_id;
DROP TABLE soundalike.counted;

-- Recordings added since, and faulty ones without windows.
DO $$
DECLARE number integer;
BEGIN
    FOR number IN SELECT DISTINCT collection_id FROM soundalike.recordings WHERE n_searchable IS NULL LOOP
        EXECUTE format(
            'UPDATE soundalike.recordings AS r SET n_searchable = (
                 SELECT count(*) FILTER (WHERE w.embedding IS NOT NULL) FROM soundalike.windows_%s AS w
                 WHERE w.recording_id = r.recording_id)
             WHERE r.collection_id = %s AND r.n_searchable IS NULL', number, number);
    END LOOP;
END $$;
ALTER TABLE soundalike.recordings ALTER COLUMN n_searchable SET NOT NULL;
