-- What was told: one row per event, by a key that it has once, so that nothing is told twice. Forgotten after a while.
create table notice (
    id blob primary key not null,
    key text not null unique,
    event text not null,
    facts text not null,
    at integer not null
);
create index notice_at on notice (at);

-- The kinds of mail that a person has turned off: what is added later is on.
create table muted_notice (
    person_id blob not null references person (id),
    kind text not null,
    muted_at integer not null,
    primary key (person_id, kind)
);

-- How many days before its end it was told last that an access ends; null: not yet.
alter table access_grant add column told_days integer;
-- How many syncs of a table have failed in a row, no further than to the number at which it is told.
alter table replica_table add column failed_syncs integer not null default 0;
-- Which due sync a replica has missed that its schedule promised; null: it is in time.
alter table replica add column late_since integer;
