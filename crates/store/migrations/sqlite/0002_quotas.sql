-- What a sweep has to know without reading the whole table, kept by triggers so that it is true whoever writes.
ALTER TABLE decision ADD COLUMN last_id BLOB;
ALTER TABLE decision ADD COLUMN stub INTEGER NOT NULL DEFAULT 0;
DROP INDEX decision_last_at;
DROP INDEX decision_bytes;
CREATE INDEX decision_age ON decision (stub, last_at, id);

CREATE TABLE cause (
    decision BLOB NOT NULL,
    cause    BLOB NOT NULL,
    PRIMARY KEY (decision, cause)
) STRICT, WITHOUT ROWID;
CREATE INDEX cause_named ON cause (cause);

CREATE TABLE tally (
    feature TEXT NOT NULL PRIMARY KEY,
    rows    INTEGER NOT NULL,
    bytes   INTEGER NOT NULL
) STRICT;
INSERT INTO tally SELECT feature, COUNT(*), SUM(bytes) FROM decision GROUP BY feature;
CREATE TABLE subject (
    key  TEXT NOT NULL PRIMARY KEY,
    rows INTEGER NOT NULL
) STRICT;
CREATE INDEX subject_rows ON subject (rows, key);
INSERT INTO subject SELECT subject_key, COUNT(*) FROM decision GROUP BY subject_key;

CREATE TRIGGER decision_added AFTER INSERT ON decision BEGIN
    INSERT INTO tally VALUES (NEW.feature, 1, NEW.bytes)
        ON CONFLICT (feature) DO UPDATE SET rows = rows + 1, bytes = bytes + excluded.bytes;
    INSERT INTO subject VALUES (NEW.subject_key, 1) ON CONFLICT (key) DO UPDATE SET rows = rows + 1;
END;
CREATE TRIGGER decision_resized AFTER UPDATE OF bytes ON decision BEGIN
    UPDATE tally SET bytes = bytes + NEW.bytes - OLD.bytes WHERE feature = NEW.feature;
END;
CREATE TRIGGER decision_stubbed AFTER UPDATE OF stub ON decision WHEN NEW.stub = 1 AND OLD.stub = 0 BEGIN
    UPDATE subject SET rows = rows - 1 WHERE key = OLD.subject_key;
    DELETE FROM subject WHERE key = OLD.subject_key AND rows <= 0;
    DELETE FROM recording WHERE id = OLD.id;
END;
CREATE TRIGGER decision_deleted AFTER DELETE ON decision BEGIN
    UPDATE tally SET rows = rows - 1, bytes = bytes - OLD.bytes WHERE feature = OLD.feature;
    UPDATE subject SET rows = rows - 1 + OLD.stub WHERE key = OLD.subject_key;
    DELETE FROM subject WHERE key = OLD.subject_key AND rows <= 0;
    DELETE FROM cause WHERE decision = OLD.id;
    DELETE FROM recording WHERE id = OLD.id;
END;

-- The one recording in a thousand that stays.
ALTER TABLE recording ADD COLUMN kept INTEGER NOT NULL DEFAULT 0;
CREATE INDEX recording_passing ON recording (id) WHERE kept = 0;

-- Samples at three resolutions; the resolution is the width of a bucket in microseconds.
DROP TABLE sample;
CREATE TABLE sample (
    series     TEXT NOT NULL,
    resolution INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    value      INTEGER NOT NULL,
    low        INTEGER NOT NULL,
    high       INTEGER NOT NULL,
    PRIMARY KEY (series, resolution, at)
) STRICT, WITHOUT ROWID;
CREATE INDEX sample_age ON sample (resolution, at);
CREATE TABLE series (
    name    TEXT NOT NULL PRIMARY KEY,
    last_at INTEGER NOT NULL
) STRICT;
CREATE INDEX series_age ON series (last_at);
