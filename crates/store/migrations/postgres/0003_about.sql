-- What a decision is about: its subject, and what is related to it. Found in order of the decisions.
CREATE TABLE about (
    kind      TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    decision  BYTEA NOT NULL,
    PRIMARY KEY (kind, namespace, name, decision)
);
CREATE INDEX about_decision ON about (decision);
INSERT INTO about SELECT kind, namespace, name, id FROM decision;
CREATE FUNCTION about_deleted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM about WHERE decision = OLD.id;
    RETURN NULL;
END $$;
CREATE TRIGGER about_deleted AFTER DELETE ON decision FOR EACH ROW EXECUTE FUNCTION about_deleted();

-- What led to what, in order of what it led to.
DROP INDEX cause_named;
CREATE INDEX cause_named ON cause (cause, decision);

-- A recording counts in the quota of its decision's feature.
ALTER TABLE recording ADD COLUMN feature TEXT NOT NULL DEFAULT '';
ALTER TABLE recording ADD COLUMN bytes BIGINT NOT NULL DEFAULT 0;
UPDATE recording SET bytes = length(body),
    feature = COALESCE((SELECT feature FROM decision WHERE decision.id = recording.id), '');
UPDATE tally SET bytes = bytes + (SELECT COALESCE(SUM(r.bytes), 0) FROM recording r WHERE r.feature = tally.feature);
CREATE INDEX recording_feature ON recording (feature, kept, id);
CREATE FUNCTION recording_added() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE tally SET bytes = bytes + NEW.bytes WHERE feature = NEW.feature;
    RETURN NULL;
END $$;
CREATE TRIGGER recording_added AFTER INSERT ON recording FOR EACH ROW EXECUTE FUNCTION recording_added();
CREATE FUNCTION recording_replaced() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE tally SET bytes = bytes + NEW.bytes - OLD.bytes WHERE feature = OLD.feature;
    RETURN NULL;
END $$;
CREATE TRIGGER recording_replaced AFTER UPDATE OF bytes ON recording FOR EACH ROW
    EXECUTE FUNCTION recording_replaced();
CREATE FUNCTION recording_deleted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE tally SET bytes = bytes - OLD.bytes WHERE feature = OLD.feature;
    RETURN NULL;
END $$;
CREATE TRIGGER recording_deleted AFTER DELETE ON recording FOR EACH ROW EXECUTE FUNCTION recording_deleted();
