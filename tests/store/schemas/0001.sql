-- A database as the code of schema 1 made it. Never changed: an upgrade must take it as it is.
CREATE TABLE schema_version (version INTEGER NOT NULL);
CREATE TABLE arrival (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    source TEXT NOT NULL,
    channel TEXT NOT NULL,
    raw TEXT NOT NULL,
    gathers TEXT NOT NULL,
    received REAL NOT NULL,
    due REAL NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX arrival_due ON arrival (due, id) WHERE state = 'new';
CREATE INDEX arrival_parked ON arrival (id) WHERE state = 'parked';
CREATE INDEX arrival_gathers ON arrival (gathers) WHERE gathers <> '';
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
    version INTEGER NOT NULL,
    since REAL NOT NULL,
    UNIQUE (account, canonical)
);
CREATE TABLE sighting (
    id INTEGER PRIMARY KEY,
    arrival BIGINT NOT NULL,
    link BIGINT NOT NULL,
    received REAL NOT NULL,
    facts TEXT NOT NULL,
    rule_set TEXT NOT NULL,
    matched TEXT NOT NULL,
    title TEXT NOT NULL,
    tags TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL
);
CREATE INDEX sighting_link ON sighting (link);
CREATE INDEX sighting_arrival ON sighting (arrival);
CREATE TABLE delivery (
    id INTEGER PRIMARY KEY,
    link BIGINT NOT NULL,
    connection TEXT NOT NULL,
    account TEXT NOT NULL,
    url TEXT NOT NULL,
    title TEXT NOT NULL,
    tags TEXT NOT NULL,
    sent_tags TEXT NOT NULL,
    added INTEGER NOT NULL,
    found INTEGER NOT NULL DEFAULT 0,
    at REAL NOT NULL,
    state TEXT NOT NULL,
    because TEXT NOT NULL,
    due REAL NOT NULL,
    bulk INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL,
    revision INTEGER NOT NULL,
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
CREATE TABLE gate (
    connection TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    because TEXT NOT NULL,
    not_before REAL NOT NULL,
    failures INTEGER NOT NULL,
    credential TEXT NOT NULL
);
CREATE TABLE report (
    arrival BIGINT PRIMARY KEY,
    due REAL NOT NULL,
    failures INTEGER NOT NULL,
    reference TEXT NOT NULL
);
CREATE INDEX report_due ON report (due);
CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    account TEXT NOT NULL,
    canonical TEXT NOT NULL,
    url TEXT NOT NULL,
    host TEXT NOT NULL,
    title TEXT NOT NULL,
    status INTEGER NOT NULL,
    favorite INTEGER NOT NULL,
    time_added BIGINT NOT NULL,
    time_updated BIGINT NOT NULL,
    time_read BIGINT NOT NULL,
    time_favorited BIGINT NOT NULL,
    UNIQUE (account, canonical)
);
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
    time_added BIGINT NOT NULL,
    PRIMARY KEY (item, tag)
);
CREATE INDEX item_tag_tag ON item_tag (account, tag, time_added, item);
CREATE TABLE tally (
    account TEXT NOT NULL,
    tag TEXT NOT NULL,
    status INTEGER NOT NULL,
    favorite INTEGER NOT NULL,
    number BIGINT NOT NULL,
    PRIMARY KEY (account, tag, status, favorite)
);
CREATE TABLE list_revision (
    account TEXT PRIMARY KEY,
    revision BIGINT NOT NULL
);
CREATE TABLE highlight (
    item BIGINT NOT NULL,
    quote TEXT NOT NULL,
    time BIGINT NOT NULL,
    PRIMARY KEY (item, quote)
);
CREATE TABLE request (
    id INTEGER PRIMARY KEY,
    arrival BIGINT NOT NULL,
    account TEXT NOT NULL,
    about BIGINT NOT NULL,
    name TEXT NOT NULL,
    argument TEXT NOT NULL,
    due REAL NOT NULL,
    failures INTEGER NOT NULL,
    answer TEXT NOT NULL
);
CREATE INDEX request_due ON request (due, id) WHERE answer = '';
CREATE INDEX request_arrival ON request (arrival);
CREATE TABLE told (
    arrival BIGINT PRIMARY KEY,
    reference TEXT NOT NULL
);
CREATE INDEX told_reference ON told (reference);
CREATE INDEX report_reference ON report (reference) WHERE reference <> '';
CREATE TABLE account (
    name TEXT PRIMARY KEY,
    password TEXT NOT NULL,
    since REAL NOT NULL
);
CREATE TABLE application (
    consumer_key TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    permissions TEXT NOT NULL,
    since REAL NOT NULL
);
CREATE TABLE access_token (
    id INTEGER PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    consumer_key TEXT NOT NULL,
    since REAL NOT NULL
);
CREATE INDEX access_token_account ON access_token (account);
CREATE TABLE sign_in (
    code TEXT PRIMARY KEY,
    consumer_key TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    state TEXT NOT NULL,
    since REAL NOT NULL,
    step TEXT NOT NULL,
    account TEXT NOT NULL
);
CREATE INDEX sign_in_since ON sign_in (since);
INSERT INTO schema_version (version) VALUES (1);
INSERT INTO arrival (id, account, source, channel, raw, gathers, received, due, state, reason) VALUES (1, 'me', 'cli', '', '{"url": "https://arxiv.example/1", "title": "A paper", "tags": ["x"], "note": ""}', '', 1795686402.2953, 1795686402.2953, 'read', '');
INSERT INTO arrival (id, account, source, channel, raw, gathers, received, due, state, reason) VALUES (2, 'me', 'cli', '', '{"url": "https://arxiv.example/1", "title": "", "tags": ["y"], "note": ""}', '', 1795686412.9906583, 1795686412.9906583, 'read', '');
INSERT INTO arrival (id, account, source, channel, raw, gathers, received, due, state, reason) VALUES (3, 'me', 'cli', '', '{"url": "https://ads.example/2", "title": "", "tags": [], "note": ""}', '', 1795686423.8299031, 1795686423.8299031, 'read', '');
INSERT INTO arrival (id, account, source, channel, raw, gathers, received, due, state, reason) VALUES (4, 'me', 'cli', '', '{"url": "https://held.example/3", "title": "", "tags": [], "note": ""}', '', 1795686426.4523814, 1795686426.4523814, 'read', '');
INSERT INTO arrival (id, account, source, channel, raw, gathers, received, due, state, reason) VALUES (5, 'me', 'cli', '', '{"url": "https://unicode.example/ä", "title": "Ümläute; -- and a '' quote", "tags": [], "note": ""}', '', 1795686428.8833606, 1795686428.8833606, 'read', '');
INSERT INTO arrival (id, account, source, channel, raw, gathers, received, due, state, reason) VALUES (6, 'me', 'hook', 'broken', '{"method": "POST", "path": "/hooks/broken", "hook": "broken", "query": "", "headers": {"user-agent": "curl/7.88.1", "content-type": "application/x-www-form-urlencoded"}, "kind": "generic", "where": {}, "body": "nothing here"}', '', 1795686451.3226423, 1795686451.3226423, 'parked', 'no link found: no web address in the fields nothing here; send JSON like {"url": "https://example.com/"}, a form with a field url, or the address as plain text');
INSERT INTO arrival (id, account, source, channel, raw, gathers, received, due, state, reason) VALUES (7, 'me', 'hook', 'links', '{"method": "POST", "path": "/hooks/links", "hook": "links", "query": "", "headers": {"user-agent": "curl/7.88.1", "content-type": "application/x-www-form-urlencoded"}, "kind": "generic", "where": {}, "body": "url=https://hook.example/9"}', '', 1795686451.3621118, 1795686451.3621118, 'read', '');
INSERT INTO seen (scope, key, arrival, since, until) VALUES ('hook:broken', 'sha256 0b3e8179536a79eb566905adcda8286a7aad0bce9832044f9beb6c03380c6fba', 6, 1795686451.3226423, 1795690051.3226423);
INSERT INTO seen (scope, key, arrival, since, until) VALUES ('hook:links', 'sha256 8694b99d096ff4866404e74758a3f1dda34904931a539e209a820a1808646a7e', 7, 1795686451.3621118, 1795690051.3621118);
INSERT INTO progress (scope, value) VALUES ('rule:me:papers', '[20783, [[20783, 2]]]');
INSERT INTO progress (scope, value) VALUES ('rule:me:ads', '[20783, [[20783, 1]]]');
INSERT INTO progress (scope, value) VALUES ('rule:me:look', '[20783, [[20783, 1]]]');
INSERT INTO rule_set (hash, text, since) VALUES ('7340cbbaa0dfd47b', 'destinations:
  second: {type: pocket, base_url: "http://127.0.0.1:9", consumer_key: 1-x, access_token: {env: TOK}}
defaults: {to: [reading, second]}
rules:
  - {name: papers, if: {domain: arxiv.example}, then: {tag: paper}}
  - {name: ads, if: {domain: ads.example}, then: {drop: advertising}}
  - {name: look, if: {domain: held.example}, then: {hold: review}}
', 1795686402.2396328);
INSERT INTO link (id, account, canonical, version, since) VALUES (1, 'me', 'https://arxiv.example/1', 1, 1795686402.3022344);
INSERT INTO link (id, account, canonical, version, since) VALUES (2, 'me', 'https://ads.example/2', 1, 1795686423.8338492);
INSERT INTO link (id, account, canonical, version, since) VALUES (3, 'me', 'https://held.example/3', 1, 1795686426.4594848);
INSERT INTO link (id, account, canonical, version, since) VALUES (4, 'me', 'https://unicode.example/%C3%A4', 1, 1795686429.0129912);
INSERT INTO link (id, account, canonical, version, since) VALUES (5, 'me', 'https://hook.example/9', 1, 1795686451.452371);
INSERT INTO sighting (id, arrival, link, received, facts, rule_set, matched, title, tags, state, reason) VALUES (1, 1, 1, 1795686402.2953, '{"url": "https://arxiv.example/1", "source": "cli", "title": "A paper", "tags": ["x"], "at": 1795686402.2953}', '7340cbbaa0dfd47b', '["papers"]', 'A paper', '["x", "paper"]', 'kept', '');
INSERT INTO sighting (id, arrival, link, received, facts, rule_set, matched, title, tags, state, reason) VALUES (2, 2, 1, 1795686412.9906583, '{"url": "https://arxiv.example/1", "source": "cli", "tags": ["y"], "at": 1795686412.9906583}', '7340cbbaa0dfd47b', '["papers"]', '', '["y"]', 'duplicate', '');
INSERT INTO sighting (id, arrival, link, received, facts, rule_set, matched, title, tags, state, reason) VALUES (3, 3, 2, 1795686423.8299031, '{"url": "https://ads.example/2", "source": "cli", "at": 1795686423.8299031}', '7340cbbaa0dfd47b', '["ads"]', '', '[]', 'dropped', 'rule ads (advertising)');
INSERT INTO sighting (id, arrival, link, received, facts, rule_set, matched, title, tags, state, reason) VALUES (4, 4, 3, 1795686426.4523814, '{"url": "https://held.example/3", "source": "cli", "at": 1795686426.4523814}', '7340cbbaa0dfd47b', '["look"]', '', '[]', 'kept', '');
INSERT INTO sighting (id, arrival, link, received, facts, rule_set, matched, title, tags, state, reason) VALUES (5, 5, 4, 1795686428.8833606, '{"url": "https://unicode.example/ä", "source": "cli", "title": "Ümläute; -- and a '' quote", "at": 1795686428.8833606}', '7340cbbaa0dfd47b', '[]', 'Ümläute; -- and a '' quote', '[]', 'kept', '');
INSERT INTO sighting (id, arrival, link, received, facts, rule_set, matched, title, tags, state, reason) VALUES (6, 7, 5, 1795686451.3621118, '{"url": "https://hook.example/9", "source": "hook", "hook": "links", "at": 1795686451.3621118}', '7340cbbaa0dfd47b', '[]', '', '[]', 'kept', '');
INSERT INTO delivery (id, link, connection, account, url, title, tags, sent_tags, added, found, at, state, because, due, bulk, attempts, revision, sent_revision, lease, remote_id, changed) VALUES (1, 1, 'reading', 'me', 'https://arxiv.example/1', 'A paper', '["x", "paper", "y"]', '["x", "paper", "y"]', 1, 0, 1795686402.2953, 'delivered', 'merged', 1795686412.999382, 0, 1, 2, 2, '', '1', 1795686412.999382);
INSERT INTO delivery (id, link, connection, account, url, title, tags, sent_tags, added, found, at, state, because, due, bulk, attempts, revision, sent_revision, lease, remote_id, changed) VALUES (2, 1, 'second', 'me', 'https://arxiv.example/1', 'A paper', '["x", "paper", "y"]', '[]', 0, 0, 1795686402.2953, 'pending', 'http://127.0.0.1:9 gives no answer (ConnectError): try again later', 1795686442.737486, 0, 0, 2, 2, '', '', 1795686442.7374992);
INSERT INTO delivery (id, link, connection, account, url, title, tags, sent_tags, added, found, at, state, because, due, bulk, attempts, revision, sent_revision, lease, remote_id, changed) VALUES (3, 3, 'reading', 'me', 'https://held.example/3', '', '[]', '[]', 0, 0, 1795686426.4523814, 'held', 'rule look', 1795686426.4594848, 0, 0, 1, 0, '', '', 1795686426.4594848);
INSERT INTO delivery (id, link, connection, account, url, title, tags, sent_tags, added, found, at, state, because, due, bulk, attempts, revision, sent_revision, lease, remote_id, changed) VALUES (4, 3, 'second', 'me', 'https://held.example/3', '', '[]', '[]', 0, 0, 1795686426.4523814, 'held', 'rule look', 1795686426.4594848, 0, 0, 1, 0, '', '', 1795686426.4594848);
INSERT INTO delivery (id, link, connection, account, url, title, tags, sent_tags, added, found, at, state, because, due, bulk, attempts, revision, sent_revision, lease, remote_id, changed) VALUES (5, 4, 'reading', 'me', 'https://unicode.example/ä', 'Ümläute; -- and a '' quote', '[]', '[]', 1, 0, 1795686428.8833606, 'delivered', 'created', 1795686429.0786006, 0, 1, 1, 1, '', '2', 1795686429.0786006);
INSERT INTO delivery (id, link, connection, account, url, title, tags, sent_tags, added, found, at, state, because, due, bulk, attempts, revision, sent_revision, lease, remote_id, changed) VALUES (6, 4, 'second', 'me', 'https://unicode.example/ä', 'Ümläute; -- and a '' quote', '[]', '[]', 0, 0, 1795686428.8833606, 'pending', 'new', 1795686429.0129912, 0, 0, 1, 0, '', '', 1795686429.0129912);
INSERT INTO delivery (id, link, connection, account, url, title, tags, sent_tags, added, found, at, state, because, due, bulk, attempts, revision, sent_revision, lease, remote_id, changed) VALUES (7, 5, 'reading', 'me', 'https://hook.example/9', '', '[]', '[]', 1, 0, 1795686451.3621118, 'delivered', 'created', 1795686451.4661198, 0, 1, 1, 1, '', '5', 1795686451.4661198);
INSERT INTO delivery (id, link, connection, account, url, title, tags, sent_tags, added, found, at, state, because, due, bulk, attempts, revision, sent_revision, lease, remote_id, changed) VALUES (8, 5, 'second', 'me', 'https://hook.example/9', '', '[]', '[]', 0, 0, 1795686451.3621118, 'pending', 'new', 1795686451.452371, 0, 0, 1, 0, '', '', 1795686451.452371);
INSERT INTO attempt (id, delivery, at, seconds, outcome, detail) VALUES (1, 1, 1795686402.4992568, 0.1944335640000645, 'delivered', 'created');
INSERT INTO attempt (id, delivery, at, seconds, outcome, detail) VALUES (2, 2, 1795686402.664622, 0.35842086599996037, 'pending', 'http://127.0.0.1:9 gives no answer (ConnectError): try again later');
INSERT INTO attempt (id, delivery, at, seconds, outcome, detail) VALUES (3, 2, 1795686405.0581684, 1.3058431240001482, 'pending', 'http://127.0.0.1:9 gives no answer (ConnectError): try again later');
INSERT INTO attempt (id, delivery, at, seconds, outcome, detail) VALUES (4, 2, 1795686408.2562184, 0.32604101200013247, 'pending', 'http://127.0.0.1:9 gives no answer (ConnectError): try again later');
INSERT INTO attempt (id, delivery, at, seconds, outcome, detail) VALUES (5, 2, 1795686412.274176, 0.6439337090000663, 'pending', 'http://127.0.0.1:9 gives no answer (ConnectError): try again later');
INSERT INTO attempt (id, delivery, at, seconds, outcome, detail) VALUES (6, 1, 1795686412.999382, 0.003387531000043964, 'delivered', 'merged');
INSERT INTO attempt (id, delivery, at, seconds, outcome, detail) VALUES (7, 2, 1795686424.8253093, 0.9902643420000459, 'pending', 'http://127.0.0.1:9 gives no answer (ConnectError): try again later');
INSERT INTO attempt (id, delivery, at, seconds, outcome, detail) VALUES (8, 5, 1795686429.0786006, 0.05730938199985758, 'delivered', 'created');
INSERT INTO attempt (id, delivery, at, seconds, outcome, detail) VALUES (9, 2, 1795686442.7374992, 0.4396110479997333, 'pending', 'http://127.0.0.1:9 gives no answer (ConnectError): try again later');
INSERT INTO attempt (id, delivery, at, seconds, outcome, detail) VALUES (10, 7, 1795686451.4661198, 0.009470547000091756, 'delivered', 'created');
INSERT INTO gate (connection, state, because, not_before, failures, credential) VALUES ('reading', 'active', '', 0.0, 0, 'reading');
INSERT INTO gate (connection, state, because, not_before, failures, credential) VALUES ('second', 'active', 'http://127.0.0.1:9 gives no answer (ConnectError): try again later', 1795686485.1743634, 6, '69d23eca5cf6');
INSERT INTO item (id, account, canonical, url, host, title, status, favorite, time_added, time_updated, time_read, time_favorited) VALUES (1, 'me', 'https://arxiv.example/1', 'https://arxiv.example/1', 'arxiv.example', 'A paper', 0, 0, 1795686402, 1795686412, 0, 0);
INSERT INTO item (id, account, canonical, url, host, title, status, favorite, time_added, time_updated, time_read, time_favorited) VALUES (2, 'me', 'https://unicode.example/%C3%A4', 'https://unicode.example/ä', 'unicode.example', 'Ümläute; -- and a '' quote', 0, 0, 1795686428, 1795686429, 0, 0);
INSERT INTO item (id, account, canonical, url, host, title, status, favorite, time_added, time_updated, time_read, time_favorited) VALUES (3, 'me', 'https://file.example/1', 'https://file.example/1', 'file.example', '', 0, 0, 1795686442, 1795686442, 0, 0);
INSERT INTO item (id, account, canonical, url, host, title, status, favorite, time_added, time_updated, time_read, time_favorited) VALUES (4, 'me', 'https://file.example/2', 'https://file.example/2', 'file.example', '', 0, 0, 1795686442, 1795686442, 0, 0);
INSERT INTO item (id, account, canonical, url, host, title, status, favorite, time_added, time_updated, time_read, time_favorited) VALUES (5, 'me', 'https://hook.example/9', 'https://hook.example/9', 'hook.example', '', 0, 0, 1795686451, 1795686451, 0, 0);
INSERT INTO item_tag (item, tag, account, time_added) VALUES (1, 'paper', 'me', 1795686402);
INSERT INTO item_tag (item, tag, account, time_added) VALUES (1, 'x', 'me', 1795686402);
INSERT INTO item_tag (item, tag, account, time_added) VALUES (1, 'y', 'me', 1795686402);
INSERT INTO tally (account, tag, status, favorite, number) VALUES ('me', '', 0, 0, 5);
INSERT INTO tally (account, tag, status, favorite, number) VALUES ('me', 'paper', 0, 0, 1);
INSERT INTO tally (account, tag, status, favorite, number) VALUES ('me', 'x', 0, 0, 1);
INSERT INTO tally (account, tag, status, favorite, number) VALUES ('me', 'y', 0, 0, 1);
INSERT INTO tally (account, tag, status, favorite, number) VALUES ('me', '_untagged_', 0, 0, 4);
INSERT INTO list_revision (account, revision) VALUES ('me', 5);
INSERT INTO application (consumer_key, name, permissions, since) VALUES ('1-reader', '', 'amd', 1795686446.6992114);
