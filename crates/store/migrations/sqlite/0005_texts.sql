-- Where a moment is among the ids. They begin with their milliseconds, which are those of `at` as long as the clock never
-- went back; here is, in milliseconds, how far the two were ever apart, whoever writes.
CREATE TABLE drift (
    behind INTEGER NOT NULL,
    ahead  INTEGER NOT NULL
) STRICT;
INSERT INTO drift SELECT
    COALESCE(MAX(MAX(at / 1000 - (('0x' || hex(substr(id, 1, 6))) ->> '$')), 0), 0),
    COALESCE(MAX(MAX((('0x' || hex(substr(id, 1, 6))) ->> '$') - at / 1000), 0), 0) FROM decision;
CREATE TRIGGER decision_drifted AFTER INSERT ON decision BEGIN
    UPDATE drift SET behind = NEW.at / 1000 - (('0x' || hex(substr(NEW.id, 1, 6))) ->> '$')
        WHERE behind < NEW.at / 1000 - (('0x' || hex(substr(NEW.id, 1, 6))) ->> '$');
    UPDATE drift SET ahead = (('0x' || hex(substr(NEW.id, 1, 6))) ->> '$') - NEW.at / 1000
        WHERE ahead < (('0x' || hex(substr(NEW.id, 1, 6))) ->> '$') - NEW.at / 1000;
END;
-- What was made before a moment and repeated after it, in order of the decisions.
CREATE INDEX decision_repeated ON decision (id, last_at) WHERE last_at > at;

-- The texts in the order of their arrival, 64 to a part. A part that is full is indexed as a whole by the trigrams in it:
-- that is a fiftieth of an index of every text, and the few parts that hold all trigrams of a text are soon read.
CREATE TABLE text (
    no       INTEGER PRIMARY KEY AUTOINCREMENT,
    decision BLOB NOT NULL,
    search   TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX text_decision ON text (decision);
CREATE TABLE part (
    no     INTEGER PRIMARY KEY,
    oldest BLOB NOT NULL,
    newest BLOB NOT NULL
) STRICT;
CREATE VIRTUAL TABLE gram USING fts5 (
    search, tokenize = 'trigram', content = '', contentless_delete = 1, detail = none
);
CREATE TRIGGER text_added AFTER INSERT ON text WHEN NEW.no % 64 = 63 BEGIN
    INSERT INTO gram (rowid, search)
        SELECT NEW.no / 64, group_concat(search, char(10)) FROM text WHERE no BETWEEN NEW.no - 63 AND NEW.no;
    INSERT INTO part
        SELECT NEW.no / 64, MIN(decision), MAX(decision) FROM text WHERE no BETWEEN NEW.no - 63 AND NEW.no;
END;
CREATE TRIGGER text_deleted AFTER DELETE ON text
    WHEN NOT EXISTS (SELECT 1 FROM text WHERE no BETWEEN OLD.no / 64 * 64 AND OLD.no / 64 * 64 + 63) BEGIN
    DELETE FROM gram WHERE rowid IN (SELECT no FROM part WHERE no = OLD.no / 64);
    DELETE FROM part WHERE no = OLD.no / 64;
END;
CREATE TRIGGER decision_written AFTER INSERT ON decision BEGIN
    INSERT INTO text (decision, search) VALUES (NEW.id, NEW.search);
END;
CREATE TRIGGER decision_erased AFTER DELETE ON decision BEGIN
    DELETE FROM text WHERE decision = OLD.id;
END;
INSERT INTO text (decision, search) SELECT id, search FROM decision ORDER BY id;
