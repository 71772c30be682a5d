-- Feeds that accounts follow, beside those of the rule file. What is known of a feed itself stays a cursor, by address.
CREATE TABLE subscription (
    account TEXT NOT NULL,
    url TEXT NOT NULL,
    name TEXT NOT NULL,
    options TEXT NOT NULL,          -- JSON
    since REAL NOT NULL,
    PRIMARY KEY (account, url),
    UNIQUE (account, name)
);
CREATE INDEX arrival_feed ON arrival (account, channel) WHERE state = 'new' AND source = 'feed';

-- Whether a feed has begun is a matter of whoever follows it: until now that was the owner.
INSERT INTO progress (scope, value)
    SELECT 'follow:me:' || substr(scope, 6), '{"taken": 1}' FROM progress
    WHERE scope LIKE 'feed:%' AND value LIKE '%"started": true%';
