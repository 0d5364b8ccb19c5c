-- Where a moment is among the ids. They begin with their milliseconds, which are those of `at` as long as the clock never
-- went back; here is, in milliseconds, how far the two were ever apart, whoever writes.
CREATE FUNCTION decision_millis(id BYTEA) RETURNS BIGINT LANGUAGE sql IMMUTABLE AS $$
    SELECT ('x' || encode(substr(id, 1, 6), 'hex'))::bit(48)::bigint
$$;
CREATE TABLE drift (
    behind BIGINT NOT NULL,
    ahead  BIGINT NOT NULL
);
INSERT INTO drift SELECT
    GREATEST(COALESCE(MAX(at / 1000 - decision_millis(id)), 0), 0),
    GREATEST(COALESCE(MAX(decision_millis(id) - at / 1000), 0), 0) FROM decision;
CREATE FUNCTION decision_drifted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE ahead_by BIGINT := decision_millis(NEW.id) - NEW.at / 1000;
BEGIN
    UPDATE drift SET behind = GREATEST(behind, -ahead_by), ahead = GREATEST(ahead, ahead_by)
        WHERE behind < -ahead_by OR ahead < ahead_by;
    RETURN NULL;
END $$;
CREATE TRIGGER decision_drifted AFTER INSERT ON decision FOR EACH ROW EXECUTE FUNCTION decision_drifted();
-- What was made before a moment and repeated after it, in order of the decisions.
CREATE INDEX decision_repeated ON decision (id, last_at) WHERE last_at > at;
