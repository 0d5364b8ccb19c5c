-- What people filter by, in order of the decisions.
CREATE INDEX decision_reason ON decision (reason, id);
CREATE INDEX decision_verb ON decision (verb, id);
CREATE INDEX decision_outcome ON decision (outcome, id);
CREATE INDEX decision_namespace ON decision (namespace, id);
