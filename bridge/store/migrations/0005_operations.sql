-- What was counted as it happened, and outlives the rows: the books that `audit` holds against them.
-- A day is counted from the epoch, UTC. `entry`: arrived, taken:STATE, sighted; arrived:STATE and sighted:FATE count rows that are gone.
CREATE TABLE book (
    day INTEGER NOT NULL,
    source TEXT NOT NULL,
    entry TEXT NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (day, source, entry)
);
INSERT INTO book (day, source, entry, number)
    SELECT CAST(received / 86400 AS INTEGER), source, 'arrived', count(*) FROM arrival GROUP BY 1, 2;
INSERT INTO book (day, source, entry, number)
    SELECT CAST(received / 86400 AS INTEGER), source, 'taken:' || state, count(*) FROM arrival
    WHERE state <> 'new' GROUP BY 1, 2, 3;
INSERT INTO book (day, source, entry, number)
    SELECT CAST(s.received / 86400 AS INTEGER), a.source, 'sighted', count(*)
    FROM sighting s JOIN arrival a ON a.id = s.arrival GROUP BY 1, 2;

-- Arrivals that are being read: what is still here at a start has ended the process, or was there when it was ended.
CREATE TABLE underway (
    arrival BIGINT PRIMARY KEY,
    starts INTEGER NOT NULL
);

-- What is wrong, from when it was first seen until it is over.
CREATE TABLE trouble (
    name TEXT PRIMARY KEY,
    words TEXT NOT NULL,
    since REAL NOT NULL,
    told INTEGER NOT NULL
);

-- What the owner is to be told, once for each way to reach them.
CREATE TABLE notice (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    words TEXT NOT NULL,
    since REAL NOT NULL,
    due REAL NOT NULL,
    failures INTEGER NOT NULL
);
CREATE INDEX notice_due ON notice (due, id);
