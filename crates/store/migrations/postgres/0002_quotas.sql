-- What a sweep has to know without reading the whole table, kept by triggers so that it is true whoever writes.
ALTER TABLE decision ADD COLUMN last_id BYTEA;
ALTER TABLE decision ADD COLUMN stub BIGINT NOT NULL DEFAULT 0;
DROP INDEX decision_last_at;
DROP INDEX decision_bytes;
CREATE INDEX decision_age ON decision (stub, last_at, id);

CREATE TABLE cause (
    decision BYTEA NOT NULL,
    cause    BYTEA NOT NULL,
    PRIMARY KEY (decision, cause)
);
CREATE INDEX cause_named ON cause (cause);

CREATE TABLE tally (
    feature TEXT NOT NULL PRIMARY KEY,
    rows    BIGINT NOT NULL,
    bytes   BIGINT NOT NULL
);
INSERT INTO tally SELECT feature, COUNT(*), SUM(bytes) FROM decision GROUP BY feature;
CREATE TABLE subject (
    key  TEXT NOT NULL PRIMARY KEY,
    rows BIGINT NOT NULL
);
CREATE INDEX subject_rows ON subject (rows, key);
INSERT INTO subject SELECT subject_key, COUNT(*) FROM decision GROUP BY subject_key;

CREATE FUNCTION decision_added() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO tally VALUES (NEW.feature, 1, NEW.bytes)
        ON CONFLICT (feature) DO UPDATE SET rows = tally.rows + 1, bytes = tally.bytes + excluded.bytes;
    INSERT INTO subject VALUES (NEW.subject_key, 1) ON CONFLICT (key) DO UPDATE SET rows = subject.rows + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER decision_added AFTER INSERT ON decision FOR EACH ROW EXECUTE FUNCTION decision_added();
CREATE FUNCTION decision_resized() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE tally SET bytes = bytes + NEW.bytes - OLD.bytes WHERE feature = NEW.feature;
    RETURN NULL;
END $$;
CREATE TRIGGER decision_resized AFTER UPDATE OF bytes ON decision FOR EACH ROW EXECUTE FUNCTION decision_resized();
CREATE FUNCTION decision_stubbed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE subject SET rows = rows - 1 WHERE key = OLD.subject_key;
    DELETE FROM subject WHERE key = OLD.subject_key AND rows <= 0;
    DELETE FROM recording WHERE id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER decision_stubbed AFTER UPDATE OF stub ON decision FOR EACH ROW
    WHEN (NEW.stub = 1 AND OLD.stub = 0) EXECUTE FUNCTION decision_stubbed();
CREATE FUNCTION decision_deleted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE tally SET rows = rows - 1, bytes = bytes - OLD.bytes WHERE feature = OLD.feature;
    UPDATE subject SET rows = rows - 1 + OLD.stub WHERE key = OLD.subject_key;
    DELETE FROM subject WHERE key = OLD.subject_key AND rows <= 0;
    DELETE FROM cause WHERE decision = OLD.id;
    DELETE FROM recording WHERE id = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER decision_deleted AFTER DELETE ON decision FOR EACH ROW EXECUTE FUNCTION decision_deleted();

-- Listeners read what changed by revision; the notification says only that something did. Writers hold one lock until
-- they commit, so revisions become visible in order.
CREATE SEQUENCE decision_revision;
ALTER TABLE decision ADD COLUMN revision BIGINT NOT NULL DEFAULT nextval('decision_revision');
CREATE INDEX decision_revision_order ON decision (revision);
CREATE FUNCTION decision_revised() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    NEW.revision := nextval('decision_revision');
    RETURN NEW;
END $$;
CREATE TRIGGER decision_revised BEFORE UPDATE ON decision FOR EACH ROW EXECUTE FUNCTION decision_revised();
CREATE FUNCTION decision_told() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_notify('keelson_decision', '');
    RETURN NULL;
END $$;
CREATE TRIGGER decision_told AFTER INSERT OR UPDATE ON decision FOR EACH STATEMENT EXECUTE FUNCTION decision_told();

-- The one recording in a thousand that stays.
ALTER TABLE recording ADD COLUMN kept BIGINT NOT NULL DEFAULT 0;
CREATE INDEX recording_passing ON recording (id) WHERE kept = 0;

-- Samples at three resolutions; the resolution is the width of a bucket in microseconds.
DROP TABLE sample;
CREATE TABLE sample (
    series     TEXT NOT NULL,
    resolution BIGINT NOT NULL,
    at         BIGINT NOT NULL,
    value      BIGINT NOT NULL,
    low        BIGINT NOT NULL,
    high       BIGINT NOT NULL,
    PRIMARY KEY (series, resolution, at)
);
CREATE INDEX sample_age ON sample (resolution, at);
CREATE TABLE series (
    name    TEXT NOT NULL PRIMARY KEY,
    last_at BIGINT NOT NULL
);
CREATE INDEX series_age ON series (last_at);
