-- Times are microseconds since the epoch. `body` is the whole decision as JSON; the other columns are for finding it.
CREATE TABLE decision (
    id          BYTEA NOT NULL PRIMARY KEY,
    subject_key TEXT NOT NULL,
    feature     TEXT NOT NULL,
    kind        TEXT NOT NULL,
    namespace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    verb        TEXT NOT NULL,
    reason      TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    at          BIGINT NOT NULL,
    last_at     BIGINT NOT NULL,
    bytes       BIGINT NOT NULL,
    search      TEXT NOT NULL,
    body        TEXT NOT NULL
);
CREATE INDEX decision_subject ON decision (subject_key, id);
CREATE INDEX decision_object ON decision (kind, namespace, name, id);
CREATE INDEX decision_feature ON decision (feature, id);
CREATE INDEX decision_last_at ON decision (last_at);
CREATE INDEX decision_bytes ON decision (id, bytes);
CREATE TABLE state (
    feature TEXT NOT NULL,
    key     TEXT NOT NULL,
    version BIGINT NOT NULL,
    fence   BIGINT NOT NULL,
    body    BYTEA NOT NULL,
    PRIMARY KEY (feature, key)
);
CREATE TABLE sample (
    series TEXT NOT NULL,
    at     BIGINT NOT NULL,
    value  BIGINT NOT NULL,
    PRIMARY KEY (series, at)
);
CREATE INDEX sample_at ON sample (at);
CREATE TABLE recording (
    id   BYTEA NOT NULL PRIMARY KEY,
    body BYTEA NOT NULL
);
