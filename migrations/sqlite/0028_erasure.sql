-- What was to be forgotten. `erasure`: somebody's word that rows are gone from the source of a product (of one of its tables, where
-- `table_id` says which) since a version or an instant, and the certificate that came of it. `erasure_part`: what it came to on one
-- replica table; `upto`: the replica's version as soon as it holds the source without these rows: what it and earlier ones removed
-- has to go. `erased_object`: every object that was deleted from a replica: written before it is (`meant_at`), and again once the
-- store has said that it did (`deleted_at`) and that there is no such object (`not_found_at`).
create table erasure (
    id blob primary key not null,
    product_id blob not null references product (id),
    table_id blob references product_table (id),
    since_version integer,
    since_at integer not null,
    at_once boolean not null,
    reason text not null,
    actor text not null,
    state text not null,
    requested_at integer not null,
    issued_at integer,
    head text,
    certificate text
);
create index erasure_product on erasure (product_id);
create table erasure_part (
    erasure_id blob not null references erasure (id),
    replica_table_id blob not null references replica_table (id),
    state text not null,
    upto integer,
    reason text,
    object_count integer not null,
    statement text,
    updated_at integer not null,
    primary key (erasure_id, replica_table_id)
);
create index erasure_part_waiting on erasure_part (replica_table_id) where state = 'waiting';
create table erased_object (
    id blob primary key not null,
    replica_table_id blob not null references replica_table (id),
    object_key text not null,
    byte_count integer not null,
    etag text,
    why text not null,
    since_at integer not null,
    removal_version integer,
    source_version integer,
    source_at integer,
    meant_at integer not null,
    deleted_at integer,
    not_found_at integer
);
create index erased_object_meant on erased_object (replica_table_id, meant_at);
create index erased_object_open on erased_object (replica_table_id, object_key) where not_found_at is null;
-- A certificate that was issued never changes.
create trigger erasure_issued_once before update on erasure when old.certificate is not null
begin select raise(abort, 'erasure is issued'); end;
create trigger erasure_no_delete before delete on erasure begin select raise(abort, 'erasure is append-only'); end;
