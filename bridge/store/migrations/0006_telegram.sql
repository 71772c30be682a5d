-- In every scope at once only the addresses of links are looked for: whatever else is known costs an index less to write.
DROP INDEX seen_key;
CREATE INDEX seen_link ON seen (key) WHERE key >= 'l:' AND key < 'l;';
