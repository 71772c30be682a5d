-- In which order deliveries leave: 0 what comes by itself, 1 what files bring, -1 what a person sent by hand.
ALTER TABLE delivery RENAME COLUMN bulk TO lane;

-- The most deliveries a call holds since one was too large, 0 for as many as the service takes.
ALTER TABLE gate ADD COLUMN batch INTEGER NOT NULL DEFAULT 0;

-- What a service's limits leave, for each scope they hold for: a user, a consumer key, a service.
CREATE TABLE budget (
    scope TEXT PRIMARY KEY,
    most BIGINT NOT NULL,           -- calls in a window, 0 for not said
    remaining BIGINT NOT NULL,      -- not yet promised to anybody
    spare BIGINT NOT NULL,          -- kept back of the window before, while all of it is promised
    resets REAL NOT NULL,           -- when all are back, 0 for not said
    lasts REAL NOT NULL,            -- seconds of a window
    next_at REAL NOT NULL,
    blocked REAL NOT NULL,
    noted REAL NOT NULL
);

-- A call that was promised to a connection and is not answered yet, by each scope it spends from.
CREATE TABLE turn (
    connection TEXT NOT NULL,
    scope TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (connection, scope)
);
CREATE INDEX turn_scope ON turn (scope, at);
