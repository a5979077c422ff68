-- Queries of the sharing protocol that are answered later: what was asked, of which version, and how far it came. Their files are
-- selected anew where they are handed out. `key_hash`: of the key by which the same query is the same; `attempt` and `lease_until`
-- (by the database's clock): who works on it; `fingerprint`: tells the version's state from another table's in the same place.
create table async_query (
    id uuid primary key not null,
    recipient_id uuid not null references recipient (id),
    table_id uuid not null,
    key_hash text collate "C" not null,
    request text collate "C" not null,
    version bigint not null,
    state text collate "C" not null,
    fingerprint bigint,
    message text collate "C",
    attempt bigint not null,
    lease_until bigint not null,
    until_at bigint not null
);
create unique index async_query_key on async_query (recipient_id, table_id, key_hash);
create index async_query_until on async_query (until_at);
