-- Times are microseconds since the epoch. `body` is the whole decision as JSON; the other columns are for finding it.
CREATE TABLE decision (
    id          BLOB NOT NULL PRIMARY KEY,
    subject_key TEXT NOT NULL,
    feature     TEXT NOT NULL,
    kind        TEXT NOT NULL,
    namespace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    verb        TEXT NOT NULL,
    reason      TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    at          INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    search      TEXT NOT NULL,
    body        TEXT NOT NULL
) STRICT;
CREATE INDEX decision_subject ON decision (subject_key, id);
CREATE INDEX decision_object ON decision (kind, namespace, name, id);
CREATE INDEX decision_feature ON decision (feature, id);
CREATE INDEX decision_last_at ON decision (last_at);
CREATE INDEX decision_bytes ON decision (id, bytes);
CREATE TABLE state (
    feature TEXT NOT NULL,
    key     TEXT NOT NULL,
    version INTEGER NOT NULL,
    fence   INTEGER NOT NULL,
    body    BLOB NOT NULL,
    PRIMARY KEY (feature, key)
) STRICT;
CREATE TABLE sample (
    series TEXT NOT NULL,
    at     INTEGER NOT NULL,
    value  INTEGER NOT NULL,
    PRIMARY KEY (series, at)
) STRICT;
CREATE INDEX sample_at ON sample (at);
CREATE TABLE recording (
    id   BLOB NOT NULL PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;
