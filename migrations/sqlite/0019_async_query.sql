-- Queries of the sharing protocol that are answered later: what was asked, of which version, and how far it came. Their files are
-- selected anew where they are handed out. `key_hash`: of the key by which the same query is the same; `attempt` and `lease_until`
-- (by the database's clock): who works on it; `fingerprint`: tells the version's state from another table's in the same place.
create table async_query (
    id blob primary key not null,
    recipient_id blob not null references recipient (id),
    table_id blob not null,
    key_hash text not null,
    request text not null,
    version integer not null,
    state text not null,
    fingerprint integer,
    message text,
    attempt integer not null,
    lease_until integer not null,
    until_at integer not null
);
create unique index async_query_key on async_query (recipient_id, table_id, key_hash);
create index async_query_until on async_query (until_at);
