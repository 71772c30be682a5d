-- What came in, raw, and what was made of it.
CREATE TABLE arrival (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    source TEXT NOT NULL,
    channel TEXT NOT NULL,
    raw TEXT NOT NULL,
    gathers TEXT NOT NULL,          -- arrivals that must be read together share it
    received REAL NOT NULL,
    due REAL NOT NULL,
    state TEXT NOT NULL,            -- new, read, empty, command, parked
    reason TEXT NOT NULL
);
CREATE INDEX arrival_due ON arrival (due, id) WHERE state = 'new';
CREATE INDEX arrival_parked ON arrival (id) WHERE state = 'parked';
CREATE INDEX arrival_gathers ON arrival (gathers) WHERE gathers <> '';

-- What is known already, with or without an arrival. Outlives both arrival and link.
CREATE TABLE seen (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    arrival BIGINT,
    since REAL NOT NULL,
    until REAL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX seen_key ON seen (key);
CREATE INDEX seen_until ON seen (until) WHERE until IS NOT NULL;

CREATE TABLE progress (
    scope TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE rule_set (
    hash TEXT PRIMARY KEY,
    text TEXT NOT NULL,
    since REAL NOT NULL
);

CREATE TABLE link (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    canonical TEXT NOT NULL,
    version INTEGER NOT NULL,       -- of the rule of equality that made it
    since REAL NOT NULL,
    UNIQUE (account, canonical)
);

CREATE TABLE sighting (
    id INTEGER PRIMARY KEY,
    arrival BIGINT NOT NULL,
    link BIGINT NOT NULL,
    received REAL NOT NULL,
    facts TEXT NOT NULL,            -- JSON of the sighting as it came
    rule_set TEXT NOT NULL,
    matched TEXT NOT NULL,          -- JSON list of rule names
    title TEXT NOT NULL,            -- as decided
    tags TEXT NOT NULL,             -- JSON list: those this sighting added
    state TEXT NOT NULL,            -- kept, duplicate, dropped
    reason TEXT NOT NULL
);
CREATE INDEX sighting_link ON sighting (link);
CREATE INDEX sighting_arrival ON sighting (arrival);

-- The wanted state of one link at one connection.
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    link BIGINT NOT NULL,
    connection TEXT NOT NULL,
    account TEXT NOT NULL,
    url TEXT NOT NULL,
    title TEXT NOT NULL,
    tags TEXT NOT NULL,             -- JSON list: wanted
    sent_tags TEXT NOT NULL,        -- JSON list: what the service was told
    added INTEGER NOT NULL,         -- the service has the link
    found INTEGER NOT NULL DEFAULT 0,         -- the embedded list had it before bridge knew of the link
    at REAL NOT NULL,
    state TEXT NOT NULL,
    because TEXT NOT NULL,
    due REAL NOT NULL,
    bulk INTEGER NOT NULL DEFAULT 0,  -- of a file: after everything else
    attempts INTEGER NOT NULL,
    revision INTEGER NOT NULL,      -- grows when the wanted state changes
    sent_revision INTEGER NOT NULL,
    lease TEXT NOT NULL,
    remote_id TEXT NOT NULL,
    changed REAL NOT NULL,
    UNIQUE (link, connection)
);
CREATE INDEX delivery_due ON delivery (connection, bulk, due, id) WHERE state = 'pending';
CREATE INDEX delivery_leased ON delivery (connection, due) WHERE state = 'leased';
CREATE INDEX delivery_unsettled ON delivery (connection, state) WHERE state NOT IN ('delivered', 'cancelled');

CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    delivery BIGINT NOT NULL,
    at REAL NOT NULL,
    seconds REAL NOT NULL,
    outcome TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX attempt_delivery ON attempt (delivery);

-- A connection as a whole: may it be used, and when.
CREATE TABLE gate (
    connection TEXT PRIMARY KEY,
    state TEXT NOT NULL,            -- active, paused
    because TEXT NOT NULL,
    not_before REAL NOT NULL,
    failures INTEGER NOT NULL,
    credential TEXT NOT NULL
);

-- A person waits to be told about this arrival. What is told is read at the moment of telling.
CREATE TABLE report (
    arrival BIGINT PRIMARY KEY,
    due REAL NOT NULL,
    failures INTEGER NOT NULL,
    reference TEXT NOT NULL
);
CREATE INDEX report_due ON report (due);

-- The embedded reading list.
CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    canonical TEXT NOT NULL,
    url TEXT NOT NULL,
    host TEXT NOT NULL,
    title TEXT NOT NULL,
    status INTEGER NOT NULL,        -- 0 unread, 1 archived, 2 deleted
    favorite INTEGER NOT NULL,
    time_added BIGINT NOT NULL,
    time_updated BIGINT NOT NULL,
    time_read BIGINT NOT NULL,
    time_favorited BIGINT NOT NULL,
    UNIQUE (account, canonical)
);
-- One index for each order a page is asked in; "site" sorts what it finds.
CREATE INDEX item_added ON item (account, time_added, id) WHERE status <> 2;
CREATE INDEX item_state ON item (account, status, time_added, id);
CREATE INDEX item_read ON item (account, time_read, id) WHERE status = 1;
CREATE INDEX item_favorited ON item (account, time_favorited, id) WHERE favorite = 1;
CREATE INDEX item_title ON item (account, lower(title), id) WHERE status <> 2;
CREATE INDEX item_updated ON item (account, time_updated, id);

CREATE TABLE item_tag (
    item BIGINT NOT NULL,
    tag TEXT NOT NULL,
    account TEXT NOT NULL,
    time_added BIGINT NOT NULL,     -- of the item, so that a tag's page needs no sorting
    PRIMARY KEY (item, tag)
);
CREATE INDEX item_tag_tag ON item_tag (account, tag, time_added, item);

-- How many items there are of each kind, and the number that grows with every change of a list.
CREATE TABLE tally (
    account TEXT NOT NULL,
    tag TEXT NOT NULL,              -- '': with any or none
    status INTEGER NOT NULL,
    favorite INTEGER NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (account, tag, status, favorite)
);
CREATE TABLE list_revision (
    account TEXT PRIMARY KEY,
    revision BIGINT NOT NULL
);

-- Passages that somebody marked in an item, as files brought them.
CREATE TABLE highlight (
    item BIGINT NOT NULL,
    quote TEXT NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (item, quote)
);

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

-- Who may use the list. Secrets are kept as hashes only.
CREATE TABLE account (
    name TEXT PRIMARY KEY,
    password TEXT NOT NULL,         -- scrypt
    since REAL NOT NULL
);

CREATE TABLE application (
    consumer_key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    permissions TEXT NOT NULL,      -- of a (add), m (modify), d (retrieve)
    since REAL NOT NULL
);

CREATE TABLE access_token (
    id INTEGER PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,     -- sha256
    account TEXT NOT NULL,
    consumer_key TEXT NOT NULL,     -- '' goes with any application
    since REAL NOT NULL
);
CREATE INDEX access_token_account ON access_token (account);

CREATE TABLE sign_in (
    code TEXT PRIMARY KEY,          -- sha256
    consumer_key TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    state TEXT NOT NULL,            -- JSON, '' for none
    since REAL NOT NULL,
    step TEXT NOT NULL,             -- asked, approved, denied, used
    account TEXT NOT NULL
);
CREATE INDEX sign_in_since ON sign_in (since);
