-- Pages that were looked at, or are to be. One row for each address, whoever named it.
CREATE TABLE page (
    address TEXT PRIMARY KEY,       -- canonical
    url TEXT NOT NULL,              -- as it was first given: what is fetched
    host TEXT NOT NULL,
    state TEXT NOT NULL,            -- wanted, read, later (nobody waits any more, tried again), failed
    facts TEXT NOT NULL,            -- JSON of what the page says
    reason TEXT NOT NULL,           -- why the last look failed
    tries INTEGER NOT NULL,         -- looks that failed since it was wanted
    began REAL NOT NULL,            -- the first of them, 0 for none
    due REAL,                       -- none: not to be looked at
    looked REAL NOT NULL,           -- the last look, 0 for none
    bulk INTEGER NOT NULL,          -- of a file: after everything else
    titled INTEGER NOT NULL         -- somebody lacks the title, and it may come late
);
CREATE INDEX page_due ON page (bulk, due) WHERE due IS NOT NULL;
CREATE INDEX page_looked ON page (looked);

-- Arrivals that wait for a page; each waits once.
CREATE TABLE page_wait (
    address TEXT NOT NULL,
    arrival BIGINT NOT NULL,
    PRIMARY KEY (address, arrival)
);
CREATE INDEX page_wait_arrival ON page_wait (arrival);

-- Other addresses of a link: what its page calls itself, and its form under an older rule of equality.
CREATE TABLE alias (
    account TEXT NOT NULL,
    address TEXT NOT NULL,
    link BIGINT NOT NULL,
    PRIMARY KEY (account, address)
);

CREATE INDEX alias_link ON alias (link);

-- What the page said when it was decided: JSON of facts, or of why it was not read; '' where nobody looked.
ALTER TABLE sighting ADD COLUMN page TEXT NOT NULL DEFAULT '';

-- A title found after sending, still to be told.
ALTER TABLE delivery ADD COLUMN new_title TEXT NOT NULL DEFAULT '';
