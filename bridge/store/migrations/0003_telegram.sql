-- What a person asks of us instead of giving a link: a bot's command, a button. Carried out once, in order.
CREATE TABLE request (
    id INTEGER PRIMARY KEY,
    arrival BIGINT NOT NULL,
    account TEXT NOT NULL,
    about BIGINT NOT NULL,          -- the arrival it is about, 0 for none
    name TEXT NOT NULL,
    argument TEXT NOT NULL,
    due REAL NOT NULL,
    failures INTEGER NOT NULL,
    answer TEXT NOT NULL            -- JSON, '' until it was carried out
);
CREATE INDEX request_due ON request (due, id) WHERE answer = '';
CREATE INDEX request_arrival ON request (arrival);

-- Where a report that is settled was told, so that it can be told anew when its person changes something.
CREATE TABLE told (
    arrival BIGINT PRIMARY KEY,
    reference TEXT NOT NULL
);
CREATE INDEX told_reference ON told (reference);
CREATE INDEX report_reference ON report (reference) WHERE reference <> '';
