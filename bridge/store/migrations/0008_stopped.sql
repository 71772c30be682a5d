-- What is sent passes through the states that have an index of their own, and changes no other.
DROP INDEX delivery_unsettled;
CREATE INDEX delivery_stopped ON delivery (connection, state, due) WHERE state IN ('held', 'unknown', 'dead');
