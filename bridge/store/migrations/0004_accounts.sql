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
